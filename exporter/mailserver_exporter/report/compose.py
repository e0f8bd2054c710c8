"""Put the report together from what was measured: its verdict, its subject, what to do first. Pure.

How grave a report is, is how grave things are at the end of its period: the states of its sections, the alerts that
fire, and what is to be done. What was wrong within the period and is over is told in its section, whose heading says
so, but makes the report no worse than "all well": nobody has to get up for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mailserver_exporter.report import wellness
from mailserver_exporter.report.cleaned import cleaned
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Report, Section, State, worst
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.sections import Part, alerts

_GRAVE: tuple[State, ...] = ("critical", "warning")
_BY_GRAVITY: tuple[State, ...] = ("critical", "warning", "info", "good", "")
_NAMED = 3
_PROBLEM = 140


@dataclass(frozen=True)
class _Subject:
    """A section, the name of its part, all that is to be done about it, and how grave its part says that this is."""

    name: str
    section: Section
    actions: tuple[Action, ...]
    advised: State

    def findings(self) -> list[State]:
        """Return the gravity of each thing that is wrong: a section graver than what it advises is one by itself."""
        grave = [action.severity for action in self.actions if action.severity in _GRAVE]
        state = self.section.state
        return [state, *grave] if state in _GRAVE and worst(self.advised, state) != self.advised else grave


def compose(  # noqa: PLR0917 - a report is made in one place
    host: str,
    period: Period,
    made: datetime,
    say: Language,
    parts: Iterable[tuple[Part, Any]],
    problems: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> Report:
    """Return the report of the parts, in their order, each with its facts, None where it is not watched.

    ``problems`` say in the reader's language what could not be asked: they come before everything else, the verdict
    included. ``remarks`` are told there as well, but say nothing about this report.
    """
    watched = [(part, facts) for part, facts in parts if facts is not None]
    subjects = _told_once([_subject(part, facts, say) for part, facts in watched])
    actions = [action for subject in subjects for action in subject.actions]
    findings = {state: [each for each in subjects if state in each.findings()] for state in _GRAVE}
    counts = {state: sum(each.findings().count(state) for each in subjects) for state in _GRAVE}
    state = next((state for state in _GRAVE if counts[state]), "warning" if problems else "good")
    past = next((alerts.past(facts) for _, facts in watched if isinstance(facts, alerts.Facts)), {})
    reasons = ", ".join(wellness.reasons([facts for _, facts in watched], say))
    named = _listed([each.section.title for state in _GRAVE for each in findings[state]], say)
    return Report(
        host,
        period,
        made,
        say.name,
        state,
        " ".join([*_first(problems), _verdict(counts, findings, reasons, bool(problems), say)]),
        f"[{_tag(counts, bool(problems), say)}] {host} {_when(period, say)}: {named or say('daily report')}",
        (*problems, *remarks),
        tuple(sorted(actions, key=lambda action: _BY_GRAVITY.index(action.severity))),
        sections=tuple(_headed(subject, past) for subject in subjects),
    )


def _subject(part: Part, facts: Any, say: Language) -> _Subject:
    name = getattr(part, "__name__", "").rpartition(".")[2]
    actions = tuple(part.advise(facts, say))
    return _Subject(name, part.show(facts, say), actions, worst(*(action.severity for action in actions)))


def _headed(subject: _Subject, past: Mapping[str, State]) -> Section:
    """Return the section with a state that what is advised does not belie, nor what was wrong and is over."""
    section = subject.section
    advised = worst(*(action.severity for action in subject.actions))
    if advised in _GRAVE:
        return replace(section, state=worst(section.state, advised))
    if section.state not in ("good", "info"):
        return section
    cells = worst(*(cell.state for table in section.tables for row in table.rows for cell in row))
    was = worst(cells, past.get(subject.name, ""))
    return replace(section, state="info", was=was) if was in _GRAVE else section


def _told_once(subjects: Sequence[_Subject]) -> list[_Subject]:
    """Put each firing alert beside what its own subject advises, and leave it out where that is about the same."""
    own = [[action for action in subject.actions if not action.subject] for subject in subjects]
    told = [list(actions) for actions in own]
    places = {subject.name: at for at, subject in enumerate(subjects)}
    for at, subject in enumerate(subjects):
        for alert in subject.actions:
            place = places.get(alert.subject, at)
            if alert.subject and not any(_same(alert, action) for action in own[place]):
                told[place].append(alert)
    return [replace(subject, actions=tuple(actions)) for subject, actions in zip(subjects, told, strict=True)]


def _same(alert: Action, own: Action) -> bool:
    """Whether what is advised is about the alert, too: as grave, and it names one of the things that the alert does."""
    if worst(alert.severity, own.severity) != own.severity:
        return False
    text = f"{own.text} {own.command}"
    return not alert.about or any(
        name in own.rule.split("-") or re.search(rf"(?<![\w/.-]){re.escape(name)}(?![\w/-])", text)
        for name in alert.about
    )


def _first(problems: Sequence[str]) -> list[str]:
    text = cleaned(problems[0], _PROBLEM) if problems else ""
    return [text if text.endswith((".", "…")) else f"{text}."] if text else []


def _verdict(
    counts: dict[State, int], findings: dict[State, list[_Subject]], reasons: str, incomplete: bool, say: Language
) -> str:
    critical = _listed([subject.section.title for subject in findings["critical"]], say)
    warnings = say.count(counts["warning"], "{number} warning", "{number} warnings") if counts["warning"] else ""
    if critical:
        # Which ones is told right below, and this is to be one line.
        return "; ".join(filter(None, (f"{say('CRITICAL')}: {critical}", warnings)))
    if warnings:
        return f"{warnings}: {_listed([subject.section.title for subject in findings['warning']], say)}"
    if incomplete:
        return say("What could be asked is well")
    return say("All well: {reasons}", reasons=reasons) if reasons else say("All well")


def _tag(counts: dict[State, int], incomplete: bool, say: Language) -> str:
    if counts["critical"]:
        return say("CRITICAL")
    told = say.count(counts["warning"], "{number} warning", "{number} warnings") if counts["warning"] else ""
    if incomplete:
        return f"{say('INCOMPLETE')}, {told}" if told else say("INCOMPLETE")
    return told or "OK"


def _listed(titles: Sequence[str], say: Language) -> str:
    names = list(dict.fromkeys(titles))
    more = [say("{number} more", number=len(names) - _NAMED)] if len(names) > _NAMED else []
    return ", ".join([*names[:_NAMED], *more])


def _when(period: Period, say: Language) -> str:
    """Return the day on which the period ends: no two daily reports have the same subject, which Gmail would thread."""
    return f"{say.day(period.end)} {period.end.year}"
