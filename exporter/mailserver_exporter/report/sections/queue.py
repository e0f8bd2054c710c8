"""The mail queue: how long it is and was, and what waits longest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailserver_exporter.report import commands, course
from mailserver_exporter.report.compared import headings, row
from mailserver_exporter.report.gauges import Limits, gauges, judged
from mailserver_exporter.report.language import NONE, Language, marked
from mailserver_exporter.report.model import Action, Cell, Chart, Limit, Section, State, Table, worst
from mailserver_exporter.report.prometheus import DAY, WEEK, Compared, Prometheus

_WAITING = "maildrop|incoming|active|deferred"
_DEPTH = "postfix_showq_queue_depth"
_AGE = "mailserver_queue_oldest_message_age_seconds"
# As instance:postfix_queue_messages:sum of rules/queue.rules.yml: what is on hold or corrupt waits for the admin.
_MESSAGES = f'sum(max by (queue) ({_DEPTH}{{$host, queue=~"{_WAITING}"}}))'
_ORDER = ("maildrop", "incoming", "active", "deferred", "hold", "corrupt")


@dataclass(frozen=True)
class Facts:
    """Messages that wait; ``points`` are the highest number of each five minutes, ``before`` that of the day before."""

    now: float | None
    mean: Compared
    highest: Compared
    highest_at: float | None
    oldest: float | None
    highest_age: Compared
    queues: Mapping[str, float]
    highest_by_queue: Mapping[str, float]
    messages_limits: Limits
    age_limits: Limits
    points: course.Points
    before: course.Points
    step: float
    stack: str = ""
    old: bool = False


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what is known of the queue, None where there is none. Raises PrometheusError."""
    found = gauges(
        prometheus,
        [_DEPTH, _AGE],
        ["queue_messages", "queue_oldest_message_age_seconds"],
        [commands.STACK],
    )
    queues = found.by("queue", _DEPTH)
    if not queues:
        return None
    every = "15s" if prometheus.period.seconds <= 2 * DAY else "2m"
    highest = f"max_over_time({_MESSAGES}[$step:{every}])"
    points, before, week = (course.ask(prometheus, highest, earlier) for earlier in (0.0, DAY, WEEK))
    top = max(points, key=lambda point: point[1], default=None)
    waiting = {name: depth for name, depth in queues.items() if name in _WAITING.split("|")}
    ages = found.by("queue", _AGE)
    return Facts(
        now=None if found.old else sum(waiting.values()),
        mean=prometheus.compared(
            f'sum(max by (queue) (avg_over_time({_DEPTH}{{$host, queue=~"{_WAITING}"}}[$period])))'
        ),
        highest=Compared(*(max((value for _, value in each), default=None) for each in (points, before, week))),
        highest_at=top[0] if top else None,
        oldest=max((age for name, age in ages.items() if name in waiting), default=None) if not found.old else None,
        highest_age=prometheus.compared(f'max(max_over_time({_AGE}{{$host, queue=~"{_WAITING}"}}[$period]))'),
        queues=queues,
        highest_by_queue={
            sample.labels["queue"]: sample.value
            for sample in prometheus.vector(f"max by (queue) (max_over_time({_DEPTH}{{$host}}[$period]))")
        },
        messages_limits=found.limits("queue_messages"),
        age_limits=found.limits("queue_oldest_message_age_seconds"),
        points=points,
        before=before,
        step=course.step(prometheus.period),
        stack=found.label("mail_stack", commands.STACK),
        old=found.old,
    )


def show(facts: Facts, say: Language) -> Section:
    """Return the queue for the reader."""
    now = judged(facts.now, facts.messages_limits)
    age = judged(facts.oldest, facts.age_limits)
    state: State = worst(now, age, "warning" if facts.queues.get("corrupt") else "", "good" if not facts.old else "")
    highest_age = judged(facts.highest_age.now, facts.age_limits)
    summary = say(
        "{now} messages wait, the oldest for {age}; at most {highest}",
        now=say.number(facts.now),
        age=say.duration(facts.oldest),
        highest=say.number(facts.highest.now),
    )
    if not facts.now and not facts.highest.now and facts.now is not None:
        summary = say("empty all the time")
    elif facts.now == 0:
        summary = say("empty now; at most {highest} messages", highest=say.number(facts.highest.now))
    when = f" ({say.moment(facts.highest_at)})" if facts.highest_at and facts.highest.now else ""
    highest = judged(facts.highest.now, facts.messages_limits)
    tables = [
        Table(
            headings(say("Messages"), say),
            (
                (Cell(say("waiting now")), Cell(say.number(facts.now), now), Cell(NONE), Cell(NONE)),
                row(say("at most") + when, facts.highest, say, highest),
                row(say("on average"), facts.mean, say, shown=lambda value: say.number(value, 1)),
                (Cell(say("oldest now")), Cell(say.duration(facts.oldest), age), Cell(NONE), Cell(NONE)),
                row(say("oldest at any time"), facts.highest_age, say, highest_age, say.duration),
            ),
            numeric=frozenset((1, 2, 3)),
        )
    ]
    if facts.now or facts.highest.now or any(facts.queues.values()):
        tables.append(_by_queue(facts, say))
    return Section(
        say("Mail queue"),
        summary,
        state,
        tuple(tables),
        (_chart(facts, say),) if facts.points else (),
        (say("The queue was not read any more when the period ended."),) if facts.old else (),
    )


def _by_queue(facts: Facts, say: Language) -> Table:
    names = sorted(facts.queues, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    return Table(
        (say("Queue"), say("Now"), say("At most")),
        tuple(
            (
                Cell(name),
                Cell(say.number(facts.queues[name]), "warning" if name == "corrupt" and facts.queues[name] else ""),
                Cell(say.number(facts.highest_by_queue.get(name))),
            )
            for name in names
        ),
        numeric=frozenset((1, 2)),
    )


def _chart(facts: Facts, say: Language) -> Chart:
    return Chart(
        "queue",
        say("Messages in the queue"),
        "count",
        course.lines(say("messages"), facts.points, facts.before, say),
        facts.step,
        tuple(Limit(severity, value) for severity, value in facts.messages_limits.items()),
        say(
            "Messages in the mail queue: at most {highest}, on average {mean}.",
            highest=say.number(facts.highest.now),
            mean=say.number(facts.mean.now, 1),
        ),
    )


_TEXTS = {
    "long": marked("{number} messages wait in the queue: see which destination they wait for, and who sent them."),
    "age": marked("A message has been in the queue for {age}: see why, and delete it or mend the cause."),
}


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do about the queue."""
    listing = commands.run(facts.stack, "postfix", "postqueue -p")
    length = judged(facts.now, facts.messages_limits)
    age = judged(facts.oldest, facts.age_limits)
    # What makes a queue long also makes its messages old.
    if length in ("warning", "critical"):
        text = say(_TEXTS["long"], number=say.number(facts.now))
        yield Action(length, text, f"{listing} | tail -50", "queue-above-limit")
    elif age in ("warning", "critical"):
        text = say(_TEXTS["age"], age=say.duration(facts.oldest))
        yield Action(age, text, f"{listing} | head -20", "queue-message-above-age-limit")
    if corrupt := facts.queues.get("corrupt"):
        yield Action(
            "warning",
            say.count(
                corrupt,
                "Postfix has put aside {number} damaged message: see whether the disk is sound.",
                "Postfix has put aside {number} damaged messages: see whether the disk is sound.",
            ),
            commands.run(facts.stack, "postfix", "ls -l /var/spool/postfix/corrupt"),
            "queue-has-corrupt-messages",
        )
    if hold := facts.queues.get("hold"):
        yield Action(
            "info",
            say.count(
                hold,
                "{number} message is on hold and stays so until you release or delete it.",
                "{number} messages are on hold and stay so until you release or delete them.",
            ),
            f"{listing} | grep -A2 '!'",
            "queue-has-messages-on-hold",
        )
