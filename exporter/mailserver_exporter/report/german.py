"""The German texts, by the English ones that they stand for; a block for each module."""

from __future__ import annotations

GERMAN: dict[str, str] = {
    # language.py
    "Monday": "Montag",
    "Tuesday": "Dienstag",
    "Wednesday": "Mittwoch",
    "Thursday": "Donnerstag",
    "Friday": "Freitag",
    "Saturday": "Samstag",
    "Sunday": "Sonntag",
    # charts.py
    "no data": "keine Daten",
    "warning": "Warnung",
    "critical": "kritisch",
}
