"""``mailserver-exporter report``: make one now and send it or write it as files; or send the daily one if it is due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from mailserver_exporter import alert_listing, submission
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report import message, ordering, run, zone
from mailserver_exporter.report.delivery import Standing
from mailserver_exporter.report.model import Report
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import without_password
from mailserver_exporter.settings.notifications import Email
from mailserver_exporter.settings.report import Language

_SEND_SECONDS = 60.0
_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(days=31)

Tell = Callable[[str], object]


@dataclass(frozen=True)
class Wish:
    """What the command line asks for; empty: what the configuration says, and the last 24 hours."""

    start: str = ""
    end: str = ""
    language: Language | None = None
    prometheus_url: str | None = None

    def order(self, config: Config, host: Host, now: datetime) -> run.Order:
        """Return what is to be made. Raises ValueError where the period cannot be."""
        return run.Order(
            config,
            host,
            _period(self.start, self.end, now),
            self.language or config.report.language,
            self.prometheus_url or ordering.prometheus_url(config),
        )


@dataclass(frozen=True)
class Result:
    """How it went: what there is to say, what went wrong and what to do about it."""

    good: bool
    said: tuple[str, ...]
    wrong: tuple[str, ...] = ()


def now_of(config: Config, host: Host) -> datetime:
    """Return what time it is in the report's zone. Raises SourceError."""
    where: tzinfo = zone.find(host, config.report.time_zone)[0]
    return datetime.fromtimestamp(time.time(), where)


def write(order: run.Order, directory: Path, tell: Tell) -> Result:
    """Make a report and write it into a directory, for a look. Raises OSError."""
    report = _made(order, tell)
    tell(f"writing it to {directory}")
    mail = None
    if order.config.notifications.email is not None:
        mail = run.write(report, ordering.settings(order.config), _message_id(order, report))
    message.files(report, directory, mail)
    names = ["report.html", "report.txt", *(["report.eml"] if mail else []), *_charts(report)]
    return Result(True, tuple(str(directory / name) for name in names))


def send(order: run.Order, tell: Tell) -> Result:
    """Make a report and send it, whatever was sent before. Raises SourceError where there is no server for it."""
    settings = ordering.settings(order.config)
    report = _made(order, tell)
    mail = run.write(report, settings, _message_id(order, report))
    outcome = submission.submit(
        settings, mail, settings.to, _SEND_SECONDS, _telling(settings, tell), hello=order.instance
    )
    said = (f"sent to {', '.join(outcome.accepted)}: {report.subject}",) if outcome.accepted else ()
    wrong = tuple(_wrong(settings, outcome))
    return Result(not wrong, said, wrong)


def send_if_due(config: Config, host: Host, tell: Tell) -> Result:
    """Send the daily report unless that was done. Raises SourceError, and OSError where that cannot be noted."""
    tell("looking whether a report is due")
    before = ordering.delivery(config, host).look()
    standing = ordering.delivery(config, host).attend(again=True, careful=True)
    letter = standing.state.letter
    following = f"the next one is due at {standing.next_in_words}"
    if standing.busy:
        return Result(True, (f"another process is sending it; {following}",))
    if letter is None:
        return Result(True, (f"no report is due yet; {following}",), _problems(standing))
    if letter.done:
        fresh = standing.state.sent > before.state.sent
        said = f"sent to {', '.join(letter.accepted)}" if fresh else "no report is due: the newest one was sent"
        return Result(True, (f"{said}; {following}",), _problems(standing))
    troubles = [f"not sent to {recipient}: {reason}" for recipient, reason in letter.troubles.items()]
    return Result(False, (), (*troubles, *([f"to mend it: {letter.remedy}"] if letter.remedy else [])))


def _made(order: run.Order, tell: Tell) -> Report:
    tell(f"asking Prometheus at {without_password(order.prometheus_url)} about {order.instance}")
    return run.make(order)


def _message_id(order: run.Order, report: Report) -> str:
    return ordering.new_message_id(order.config, order.host, report.made, "report")


def _telling(settings: Email, tell: Tell) -> Callable[[str], object]:
    return lambda stage: tell(f"{settings.smarthost}: {stage}")


def _wrong(settings: Email, outcome: submission.Outcome) -> Iterator[str]:
    remedies = []
    for recipient in settings.to:
        trouble = outcome.trouble(recipient)
        if trouble is not None:
            yield f"not sent to {recipient}: {trouble.said}"
            remedies.append(trouble.remedy)
    yield from (f"to mend it: {remedy}" for remedy in dict.fromkeys(remedies))


def _problems(standing: Standing) -> tuple[str, ...]:
    return (standing.problem,) if standing.problem else ()


def _charts(report: Report) -> list[str]:
    return [f"{chart.name}.png" for section in report.sections for chart in section.charts]


def _period(start: str, end: str, now: datetime) -> Period:
    until = _moment("--to", end, now) if end else now
    since = _moment("--from", start, now) if start else Period.before(until).start
    # Of two times in one zone the hands of the clock are compared, and not the time that has passed.
    length = timedelta(seconds=until.timestamp() - since.timestamp())
    if length <= timedelta(0):
        raise ValueError(f"--from ({since:%Y-%m-%d %H:%M}) must be before --to ({until:%Y-%m-%d %H:%M})")
    if not _SHORTEST <= length <= _LONGEST:
        raise ValueError(f"a report is of 5 minutes to {_LONGEST.days} days, not of {length}")
    return Period(since, until)


def _moment(option: str, text: str, now: datetime) -> datetime:
    try:
        return alert_listing.since(text, now)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
