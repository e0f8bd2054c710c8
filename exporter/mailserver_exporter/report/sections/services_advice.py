"""What to do about the services."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from mailserver_exporter.report import boots
from mailserver_exporter.report.compared import listed, multiplied
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, State, worst
from mailserver_exporter.report.sections.services_facts import Facts, Service

GRAVITY: Mapping[str, State] = {"port": "critical", "service": "critical", "unit": "warning"}
"""How grave it is that one of a kind is down, as their alerts have it."""

_GOOD = 0.999
_OFTEN = 3
_SLOWER, _SLOW_SECONDS = 3.0, 1.0
_MEASURED = 0.95
_MAILCOW = "cd /opt/mailcow-dockerized && docker compose"


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield one thing to do for all that is down, for what has failed, what was down, what is slow, what is unknown."""
    down = [service for service in facts.services if service.availability.now is False]
    if down:
        yield _down(facts, down, say)
    names = {service.name for service in down}
    failed = [name for name in facts.failed if name not in names]
    if failed:
        quoted = " ".join(shlex.quote(name) for name in failed[:3])
        yield Action(
            "warning",
            say.count(
                len(failed),
                "{names} has failed and is not tried again: mend what its log says and start it.",
                "{names} have failed and are not tried again: mend what their logs say and start them.",
                names=listed(failed, say),
            ),
            f"systemctl status {quoted}; journalctl -u {failed[0] if len(failed) == 1 else quoted} -n 50",
            "units-failed",
            about=tuple(failed),
        )
    interrupted = [each for each in facts.services if each not in down and _interrupted(each, facts)]
    if interrupted:
        yield _was_down(facts, interrupted, say)
    slow = [each for each in facts.services if multiplied(each.response, _SLOWER, _SLOW_SECONDS) and each not in down]
    if slow:
        slowest = max(slow, key=lambda service: service.response.now or 0.0)
        before = max(filter(None, (slowest.response.day_before, slowest.response.week_before)))
        text = say(
            "{name} answers in {now}, before in {before}: see what its server waits for.",
            name=slowest.title,
            now=seconds(slowest.response.now, say),
            before=seconds(before, say),
        )
        yield Action(
            "info", text, "top -b -n1 | head -20; iostat -x 1 3", "service-three-times-slower", about=(slowest.name,)
        )
    yield from _unmeasured(facts, say)


def _interrupted(service: Service, facts: Facts) -> bool:
    availability = service.availability
    ratio, longest = availability.ratio.now, availability.longest
    if ratio is None or not (ratio < _GOOD or availability.interruptions >= _OFTEN):
        return False
    # While the host boots nothing answers: its own advice tells of that.
    return not (longest and availability.interruptions == 1 and boots.explain(facts.boots, longest.begin, longest.end))


def _down(facts: Facts, down: Sequence[Service], say: Language) -> Action:
    names = tuple(service.name for service in down)
    since = [service.availability.outages[-1].begin for service in down if service.availability.outages]
    compose = [service for service in down if service.kind == "service"]
    units = [shlex.quote(service.name) for service in down if service.kind == "unit"]
    if compose:
        docker = f"docker compose -p {shlex.quote(compose[0].where)}"
        names_of_it = " ".join(shlex.quote(service.name) for service in compose if service.where == compose[0].where)
        command = f"{docker} ps -a; {docker} logs --tail 50 {names_of_it}"
    elif units:
        command = f"systemctl status {' '.join(units)}"
    elif facts.stack == "mailcow":
        command = f"{_MAILCOW} ps -a"
    else:
        command = "systemctl status postfix dovecot; ss -ltnp"
    titles = listed([service.title for service in down], say, 3)
    if since:
        text = say.count(
            len(down),
            "{names} has been down since {time}: see why and start it.",
            "{names} have been down since {time}: see why and start them.",
            names=titles,
            time=say.moment(min(since)),
        )
    else:
        text = say.count(
            len(down),
            "{names} is down: see why and start it.",
            "{names} are down: see why and start them.",
            names=titles,
        )
    severity = worst(*(GRAVITY[service.kind] for service in down))
    return Action(severity, text, command, "services-down", about=names)


def _was_down(facts: Facts, interrupted: Sequence[Service], say: Language) -> Action:
    hurt = max(interrupted, key=lambda service: service.availability.seconds)
    longest = hurt.availability.longest
    command = "mailserver-exporter alerts --since 24h"
    if longest:
        since, until = (
            datetime.fromtimestamp(at, say.zone).isoformat(timespec="seconds")
            for at in (longest.begin - 120, longest.end + 60)
        )
        if facts.stack == "mailcow":
            command = f"{_MAILCOW} logs --since {since} --until {until}"
        else:
            command = f"journalctl --since '{_of_journal(since)}' --until '{_of_journal(until)}'"
    text = say(
        "Interrupted for up to {time}: {names}. See what the log says of that time.",
        names=listed([service.title for service in interrupted], say, 3),
        time=say.duration(hurt.availability.seconds),
    )
    if len(interrupted) == 1:
        text = say.count(
            hurt.availability.interruptions,
            "{name} was down for {time}: see what the log says of that time.",
            "{name} was down {number} times, {time} in all: see what the log says of the longest.",
            name=hurt.title,
            time=say.duration(hurt.availability.seconds),
        )
    about = tuple(service.name for service in interrupted)
    return Action("warning", text, command, "services-interrupted", about=about)


def _of_journal(moment: str) -> str:
    """Return a time as every journalctl takes it, systemd.time(7): without its zone, which is the host's."""
    return moment[:19].replace("T", " ")


def _unmeasured(facts: Facts, say: Language) -> Iterator[Action]:
    missing = [end - begin for begin, end in facts.measured.gaps if not boots.explain(facts.boots, begin, end)]
    silent = [o.seconds for o in facts.measured.unanswered if not boots.explain(facts.boots, o.begin, o.end)]
    period = sum(missing) + sum(silent)
    if period < (1 - _MEASURED) * facts.seconds:
        return
    if sum(silent) > sum(missing):
        text = say(
            "The exporter did not answer for {time}, and nothing was watched: see why.", time=say.duration(period)
        )
        command = "journalctl -u mailserver-exporter -n 100  # compose: docker compose logs --tail 100 exporter"
    else:
        text = say("Prometheus measured nothing for {time}: see why it did not run.", time=say.duration(period))
        command = "journalctl -u prometheus -n 100  # compose: docker compose logs --tail 100 prometheus"
    yield Action("warning", text, command, "measured-less-than-95-percent")


def seconds(value: float | None, say: Language) -> str:
    """Return how long an answer took."""
    if value is None:
        return say.number(None)
    return (
        f"{say.number(value * 1000)}\N{NO-BREAK SPACE}ms" if value < 1 else f"{say.number(value, 1)}\N{NO-BREAK SPACE}s"
    )
