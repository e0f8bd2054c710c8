"""The services: how much of the time each was there, how often it was not, and how fast it answers."""

from __future__ import annotations

from mailserver_exporter.report.compared import listed
from mailserver_exporter.report.language import NONE, Language
from mailserver_exporter.report.model import Cell, Section, State, Table, worst
from mailserver_exporter.report.sections.services_advice import GRAVITY, advise, seconds
from mailserver_exporter.report.sections.services_facts import Facts, Service, measure

__all__ = ["Facts", "Service", "advise", "measure", "show"]

_GOOD, _FAIR = 0.999, 0.99
_ROWS = 30
_GAPS = 3


def show(facts: Facts, say: Language) -> Section:
    """Return the services for the reader; of those that were always there only the ports one by one."""
    services = sorted(facts.services, key=lambda service: (*_gravity(service), service.kind, service.title))
    shown = [service for service in services if service.kind == "port" or _state(service) != "good"][:_ROWS]
    rest = [service for service in services if service not in shown]
    left_out = ""
    if rest:
        good = all(_state(service) == "good" for service in rest)
        left_out = (
            say.count(len(rest), "{number} more was always up", "{number} more were always up")
            if good
            else say.count(len(rest), "{number} more", "{number} more")
        )
    tables = []
    if shown:
        headings = (
            say("Service"),
            say("Available"),
            say("Day before"),
            say("Week before"),
            say("Down for"),
            say("Times"),
            say("Answers in"),
        )
        rows = tuple(_row(service, say) for service in shown)
        tables.append(Table(headings, rows, numeric=frozenset(range(1, 7)), left_out=left_out))
    elif left_out:
        tables.append(Table((say("Service"),), (), left_out=left_out))
    state = worst(*(_state(service) for service in services), "warning" if facts.failed else "")
    return Section(say("Services"), _summary(facts, say), state, tuple(tables), (), tuple(_notes(facts, say)))


def _state(service: Service) -> State:
    availability = service.availability
    ratio = availability.ratio.now
    if availability.now is False:
        return GRAVITY[service.kind]
    if ratio is None:
        return ""
    if ratio >= 1:
        return "good"
    return "info" if ratio >= _FAIR else "warning"


def _gravity(service: Service) -> tuple[int, float]:
    order = ("critical", "warning", "info", "good", "")
    return order.index(_state(service)), -service.availability.seconds


def _percent(ratio: float | None, say: Language) -> str:
    return say.percent(ratio) if ratio == 1 else say.percent(ratio, 2)


def _row(service: Service, say: Language) -> tuple[Cell, ...]:
    availability = service.availability
    ratio, state = availability.ratio, _state(service)
    title = service.title
    if availability.now is False:
        reason = f": {service.reason}" if service.reason else ""
        title = say("{name} is down{reason}", name=title, reason=reason)
    down = say.duration(availability.seconds) if availability.seconds else ""
    longest = availability.longest
    if longest and availability.interruptions > 1:
        down = say("{time}, longest {longest}", time=down, longest=say.duration(longest.seconds))
    if longest:
        down += f" ({say.moment(longest.begin)})"
    response = ""
    if service.response.now is not None:
        slow = seconds(service.slow_response, say)
        response = say("{median}, 95% in {slow}", median=seconds(service.response.now, say), slow=slow)
    return (
        Cell(title, state),
        Cell(_percent(ratio.now, say), state),
        Cell(_percent(ratio.day_before, say)),
        Cell(_percent(ratio.week_before, say)),
        Cell(down),
        Cell(say.number(availability.interruptions) if availability.interruptions else ""),
        Cell(response or NONE),
    )


def _summary(facts: Facts, say: Language) -> str:
    down = [service for service in facts.services if service.availability.now is False]
    if down:
        return say.count(
            len(down),
            "{names} is down, of {all}",
            "{number} of {all} are down: {names}",
            all=say.number(len(facts.services)),
            names=listed([service.title for service in down], say, 3),
        )
    hurt = [service for service in facts.services if service.availability.seconds]
    if not facts.services:
        return say("none is watched")
    if not hurt:
        return say.count(len(facts.services), "the one service was always up", "all {number} were always up")
    worst_one = max(hurt, key=lambda service: service.availability.seconds)
    return say.count(
        len(hurt),
        "{number} of {all} was interrupted: {name} was up {ratio} of the time",
        "{number} of {all} were interrupted, worst {name}: up {ratio} of the time",
        all=say.number(len(facts.services)),
        name=worst_one.title,
        ratio=_percent(worst_one.availability.ratio.now, say),
    )


def _notes(facts: Facts, say: Language) -> list[str]:
    notes = []
    measured = facts.measured
    if measured.since is not None:
        notes.append(say("Measured since {time} only.", time=say.moment(measured.since)))
    if measured.gaps:
        times = ", ".join(f"{say.moment(begin)} ({say.duration(end - begin)})" for begin, end in measured.gaps[:_GAPS])
        more = say(" and {number} more", number=len(measured.gaps) - _GAPS) if len(measured.gaps) > _GAPS else ""
        notes.append(say("Prometheus measured nothing at {times}.", times=times + more))
    if measured.silent_seconds:
        notes.append(say("The exporter did not answer for {time}.", time=say.duration(measured.silent_seconds)))
    if notes and measured.ratio is not None:
        known = measured.ratio - measured.silent_seconds / facts.seconds
        notes.append(say("What counts here is the {ratio} of the time that was measured.", ratio=say.percent(known, 1)))
    if facts.failed:
        notes.append(say("Failed units: {names}.", names=", ".join(facts.failed[:10])))
    if facts.failed_before:
        notes.append(
            say("Units that failed and were started again: {names}.", names=", ".join(facts.failed_before[:10]))
        )
    return notes
