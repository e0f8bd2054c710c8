"""systemd's units, as its manager tells them over D-Bus, org.freedesktop.systemd1(5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.dbus import Call, Client, RefusedError

STATES = ("active", "activating", "deactivating", "inactive", "failed")

_NAME = "org.freedesktop.systemd1"
_PATH = "/org/freedesktop/systemd1"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_MANAGER = f"{_NAME}.Manager"


@dataclass(frozen=True)
class Unit:
    """A unit that systemd has loaded, or knows by name: ``load`` says which."""

    name: str
    load: str
    active: str
    path: str


def units(client: Client) -> list[Unit]:
    """Return every unit. Raises RefusedError, and SourceError when the answer is not a list of units."""
    [answer] = client.ask([Call(_NAME, _PATH, _MANAGER, "ListUnits")])
    if isinstance(answer, RefusedError):
        raise answer
    try:
        return [Unit(str(entry[0]), str(entry[2]), str(entry[3]), str(entry[6])) for entry in answer[0]]
    except (IndexError, TypeError) as error:
        raise SourceError("systemd's answer is not a list of units") from error


def system_state(client: Client) -> str:
    """Return what `systemctl is-system-running` says. Raises RefusedError."""
    [answer] = client.ask([Call(_NAME, _PATH, _PROPERTIES, "Get", (_MANAGER, "SystemState"))])
    if isinstance(answer, RefusedError):
        raise answer
    return str(answer[0]) if answer else ""


def properties(client: Client, of: Iterable[Unit], kind: str, name: str) -> Mapping[str, object]:
    """Return a property by unit; ``kind`` is the type of the units, such as ``Timer``.

    A unit that is gone meanwhile is absent.
    """
    of = list(of)
    calls = [Call(_NAME, unit.path, _PROPERTIES, "Get", (f"{_NAME}.{kind}", name)) for unit in of]
    answers = client.ask(calls)
    return {
        unit.name: answer[0]
        for unit, answer in zip(of, answers, strict=True)
        if not isinstance(answer, RefusedError) and answer
    }
