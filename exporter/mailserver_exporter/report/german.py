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
    # words.py
    "good": "gut",
    "note": "Hinweis",
    "{start} to {end}": "{start} bis {end}",
    "Made by mailserver-exporter {version} on {date} at {time}.": "Erstellt von mailserver-exporter {version}: "
    "{date}, {time}.",
    # html.py, plain.py, bounded.py
    "Recommended actions": "Empfohlene Maßnahmen",
    "{number} more is not shown": "{number} weitere wird nicht gezeigt",
    "{number} more are not shown": "{number} weitere werden nicht gezeigt",
    # compose.py
    "All well.": "Alles in Ordnung.",
    "What could be asked is well.": "Was erfragt werden konnte, ist in Ordnung.",
    "CRITICAL": "KRITISCH",
    "INCOMPLETE": "UNVOLLSTÄNDIG",
    "{number} times CRITICAL": "{number}-mal KRITISCH",
    "{number} warning": "{number} Warnung",
    "{number} warnings": "{number} Warnungen",
    "{number} more": "{number} weitere",
    "daily report": "Tagesbericht",
    # sections/alerts.py
    "Alerts": "Alarme",
    "Alert": "Alarm",
    "Severity": "Stufe",
    "State": "Zustand",
    "Times": "Wie oft",
    "In all": "Insgesamt",
    "over": "vorbei",
    "fires": "besteht",
    "fires since {moment}": "besteht seit {moment}",
    "{alert} (fires since {moment})": "{alert} (seit {moment})",
    "{number} alert fires now.": "{number} Alarm besteht.",
    "{number} alerts fire now.": "{number} Alarme bestehen.",
    "No alert fires now.": "Kein Alarm besteht.",
    "No alert fired.": "Es gab keinen Alarm.",
    "{number} fired and is over.": "{number} weiterer ist vorbei.",
    "{number} fired and are over.": "{number} weitere sind vorbei.",
    "{number} alert fired and is over": "{number} Alarm ist vorbei",
    "{number} alerts fired and are over": "{number} Alarme sind vorbei",
    "{text}, {number} of them critical.": "{text}, davon kritisch: {number}.",
}
