"""Reports written by hand: a good day and a bad one, one without history, one with gaps, one without Prometheus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, Protocol, cast

from mailserver_exporter.report.compose import compose
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Cell, Chart, Limit, Line, Report, Section, State, Table
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.sections import Part

CET = timezone(timedelta(hours=1), "CET")
PERIOD = Period.before(datetime(2026, 11, 22, 2, 0, tzinfo=CET))
MADE = datetime(2026, 11, 22, 2, 0, 7, tzinfo=CET)
HOST = "mail.example.org"


def part(section: Section, *actions: Action, name: str = "subject") -> Part:
    """Return a part of the report that shows this."""
    shown = SimpleNamespace(
        __name__=f"sections.{name}",
        measure=lambda prometheus: section,
        show=lambda facts, say: section,
        advise=lambda facts, say: iter(actions),
    )
    return cast("Part", shown)


def composed(
    *parts: Part, language: str = "en", problems: Sequence[str] = (), remarks: Sequence[str] = (), host: str = HOST
) -> Report:
    """Return the report of these parts."""
    return composed_of([(each, "facts") for each in parts], language, problems, remarks, host)


def composed_of(
    parts: Sequence[tuple[Part, Any]],
    language: str = "en",
    problems: Sequence[str] = (),
    remarks: Sequence[str] = (),
    host: str = HOST,
) -> Report:
    """Return the report of these parts and their facts."""
    return compose(host, PERIOD, MADE, Language(language, CET), parts, problems, remarks)


def row(*texts: str, state: State = "", at: int = 1) -> tuple[Cell, ...]:
    """Return a row of which one cell has a state."""
    return tuple(Cell(text, state if number == at else "") for number, text in enumerate(texts))


def course(top: float, *, gap: tuple[float, float] = (0, 0), shift: float = 0) -> tuple[tuple[float, float], ...]:
    """Return a wave over the period, with nothing between two hours of it."""
    start = PERIOD.start.timestamp()
    points = ((hour / 10, top * (0.55 + 0.4 * math.sin(hour / 38 + shift))) for hour in range(241))
    return tuple((start + hour * 3600, value) for hour, value in points if not gap[0] < hour < gap[1])


HOST_TABLE = Table(
    ("Use", "Now", "Mean", "Day before", "Week before", "Highest"),
    (
        row("CPU", "12%", "18%", "17%", "22%", "64% (21 Nov 14:05)"),
        row("Memory", "71%", "69%", "68%", "66%", "78% (21 Nov 20:40)"),
        row("Load per core", "0.21", "0.34", "0.31", "0.40", "1.12 (21 Nov 14:06)"),
    ),
    numeric=frozenset(range(1, 6)),
)
GOOD_PARTS = (
    part(
        Section(
            "Host",
            "CPU 18%, memory 69%, load 0.34 per core on average; up for 41 d",
            "good",
            (HOST_TABLE,),
            (
                Chart(
                    "host-cpu",
                    "CPU",
                    "ratio",
                    (Line("this day", course(0.6)), Line("week before", course(0.5, shift=1), faint=True)),
                    360,
                    (Limit("warning", 0.8), Limit("critical", 0.9)),
                    "CPU: on average 18%, at most 64%.",
                ),
            ),
        ),
        name="host",
    ),
    part(
        Section(
            "Filesystems",
            "3 filesystems, the fullest is 62% full",
            "good",
            (
                Table(
                    ("Filesystem", "Full", "Free", "Day before", "Week before", "Days until full"),
                    (
                        row("/", "41%", "23 GiB", "41%", "40%", "–"),  # noqa: RUF001
                        row("/var/lib/docker", "55%", "88 GiB", "54%", "51%", "81"),
                        row("/var/vmail", "62%", "301 GiB", "62%", "61%", "240"),
                    ),
                    numeric=frozenset(range(1, 6)),
                ),
            ),
        ),
        name="filesystems",
    ),
    part(
        Section(
            "Mail",
            "1,204 received, 311 sent, 4 bounced, 2,871 rejected",
            "good",
            (
                Table(
                    ("Mail", "Period", "Day before", "Week before"),
                    (
                        row("received from other servers", "1,204", "1,188", "1,301"),
                        row("received from users", "315", "290", "344"),
                        row("rejected by Postfix", "2,871", "2,640", "3,004"),
                    ),
                    numeric=frozenset((1, 2, 3)),
                ),
            ),
            (
                Chart(
                    "mail",
                    "Mail by the hour",
                    "count",
                    (
                        Line(
                            "sent", tuple((PERIOD.start.timestamp() + 3600 * (at + 1), 13 + at % 7) for at in range(24))
                        ),
                        Line("received", tuple((PERIOD.start.timestamp() + 3600 * (at + 1), 50.0) for at in range(24))),
                    ),
                    3600,
                    description="Mail by the hour",
                    bars=True,
                ),
            ),
            ("Counted since 21 Nov 02:00.",),
        ),
        name="mail",
    ),
    part(Section("Alerts", "No alert fired.", "good"), name="alerts"),
)


def good(language: str = "en") -> Report:
    """Return the report of a day on which all was well."""
    return composed(*GOOD_PARTS, language=language)


def bad(language: str = "en") -> Report:
    """Return the report of a day on which much was not."""
    containers = Table(
        ("Container", "State", "Restarts", "Down", "Memory"),
        (
            row("mailcowdockerized-postfix-mailcow-1", "exited (137)", "14", "3 h 20 min", "–", state="critical"),  # noqa: RUF001
            row("mailcowdockerized-dovecot-mailcow-1", "running", "0", "0 s", "402 MiB"),
            row("mailcowdockerized-clamd-mailcow-1", "unhealthy", "3", "12 min", "1.3 GiB", state="warning"),
            *(row(f"mailcowdockerized-part{n}-mailcow-1", "running", "0", "0 s", "38 MiB") for n in range(15)),
        ),
        numeric=frozenset((2, 3, 4)),
    )
    disks = Table(
        ("Filesystem", "Full", "Free", "Day before", "Week before", "Days until full"),
        (
            row("/", "41%", "23 GiB", "41%", "40%", "–"),  # noqa: RUF001
            row("/var/lib/docker", "84%", "14 GiB", "79%", "61%", "3", state="warning"),
        ),
        numeric=frozenset(range(1, 6)),
    )
    alerts = Table(
        ("Alert", "Severity", "State", "Times", "In all"),
        (
            row(
                "container mailcowdockerized-postfix-mailcow-1 is down",
                *("critical", "fires since 21 Nov 22:40", "14", "3 h 20 min"),
                state="critical",
                at=0,
            ),
            row(
                "/var/lib/docker is 84% full",
                "warning",
                "fires since 21 Nov 11:02",
                "1",
                "14 h 58 min",
                state="warning",
                at=0,
            ),
            row("the queue holds 61 messages", "critical", "over", "2", "25 min"),
        ),
        numeric=frozenset((3, 4)),
    )
    return composed(
        GOOD_PARTS[0],
        part(
            Section("Containers", "1 of 18 is down, 1 is unhealthy", "critical", (containers,)),
            Action(
                "critical",
                "The container mailcowdockerized-postfix-mailcow-1 was restarted 14 times and is down: see what "
                "it says before it ends.",
                "docker logs --tail 50 mailcowdockerized-postfix-mailcow-1",
                "container-restarts",
            ),
            Action(
                "warning",
                "The container mailcowdockerized-clamd-mailcow-1 is unhealthy: its signatures no longer fit.",
                "docker inspect --format '{{json .State.Health}}' mailcowdockerized-clamd-mailcow-1",
            ),
            name="containers",
        ),
        part(
            Section(
                "Filesystems",
                "2 filesystems, the fullest is 84% full",
                "warning",
                (disks,),
                (
                    Chart(
                        "filesystems",
                        "Filesystems",
                        "ratio",
                        (Line("/", course(0.42)), Line("/var/lib/docker", course(0.86, shift=2))),
                        360,
                        (Limit("warning", 0.8), Limit("critical", 0.9)),
                        "/var/lib/docker is 84% full.",
                    ),
                ),
            ),
            Action(
                "warning",
                "/var/lib/docker is 84% full and will be so wholly in 3 days: remove images that nothing uses.",
                "docker system df && docker image prune --all --filter until=240h",
            ),
            name="filesystems",
        ),
        GOOD_PARTS[2],
        part(
            Section("Updates", "4 updates wait, 1 for security", "info"),
            Action("info", "A security update waits since 3 days: install it.", "apt-get update && apt-get upgrade"),
        ),
        part(Section("Alerts", "2 alerts fire now. 1 fired and is over.", "critical", (alerts,)), name="other"),
        language=language,
    )


def first_day() -> Report:
    """Return the report of a host that has been watched for two hours."""
    table = replace(HOST_TABLE, rows=tuple((*each[:3], Cell("–"), Cell("–"), each[5]) for each in HOST_TABLE.rows))  # noqa: RUF001
    chart = Chart(
        "host-cpu", "CPU", "ratio", (Line("this day", course(0.6)[-20:]),), 360, description="CPU: at most 64%."
    )
    return composed(
        part(
            Section(
                "Host",
                "CPU 18%, memory 69% on average; up for 2 h 10 min",
                "good",
                (table,),
                (chart,),
                ("Measured since 21 Nov 23:50.",),
            )
        ),
        part(Section("Mail", "0 received, 0 sent, 0 bounced, 0 rejected", "good")),
    )


def gaps() -> Report:
    """Return the report of a day of which some hours are missing."""
    chart = Chart("host-cpu", "CPU", "ratio", (Line("this day", course(0.7, gap=(5, 11))),), 360, description="CPU")
    return composed(
        part(
            Section(
                "Host", "CPU 21%, memory 70% on average", "info", (HOST_TABLE,), (chart,), ("Not measured for 6 h.",)
            )
        ),
    )


def without_prometheus(language: str = "en") -> Report:
    """Return the report that is made when Prometheus does not answer."""
    return composed(
        part(
            Section(
                "What the exporter sees itself",
                "12 collectors, 1 fails",
                "warning",
                (
                    Table(
                        ("Collector", "State"),
                        (row("docker", "the socket cannot be read", state="warning"), row("cpu", "ok")),
                    ),
                ),
            )
        ),
        language=language,
        problems=["Prometheus could not be asked: http://127.0.0.1:9090 does not answer: Connection refused"],
    )


HOSTILE = "<script>alert(1)</script>\u202egnp.exe\u2066 Subject: forged\r\n\r\n.\r\n\x00\x1b[31m 🔥" + "A" * 10_000


def hostile() -> Report:
    """Return a report full of what is too much, too long, or means harm."""
    names = [f"container-{number}-" + "x" * 60 for number in range(500)]
    containers = Table(
        ("Container", "State", "Restarts", "Down", "Memory"),
        tuple(
            row(name, HOSTILE, "14", "3 h", "4 MiB", state="critical" if n % 97 == 96 else "")
            for n, name in enumerate(names)
        ),
        numeric=frozenset((2, 3, 4)),
    )
    disks = Table(
        ("Filesystem", "Full", "Free", "Day before", "Week before", "Days until full"),
        tuple(row(f"/srv/{number}/{'ü' * 300}", "41%", "2 GiB", "4%", "5%", "9") for number in range(40)),
        HOSTILE,
        frozenset(range(1, 6)),
        HOSTILE,
    )
    line = Line(HOSTILE, course(0.5))
    chart = Chart(HOSTILE, HOSTILE, "ratio", (line,), 360, description=HOSTILE)
    section = Section(HOSTILE, HOSTILE, "critical", (containers, disks), (chart, chart), (HOSTILE,) * 30)
    actions = [
        Action("warning", HOSTILE, HOSTILE),
        *(Action("critical", f"{n}: {HOSTILE}", f"echo {n}") for n in range(40)),
    ]
    return composed(
        part(section, *actions), *(part(section) for _ in range(20)), host="bücher" + HOSTILE, problems=[HOSTILE] * 9
    )


class Make(Protocol):
    """Makes a report."""

    def __call__(self) -> Report:
        """Return it."""


DAYS: dict[str, Make] = {
    "good": good,
    "bad": bad,
    "first_day": first_day,
    "gaps": gaps,
    "without_prometheus": without_prometheus,
}
