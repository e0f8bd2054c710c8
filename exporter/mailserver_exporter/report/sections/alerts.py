"""The alerts of the period: how often and how long each fired, and which fire now.

Prometheus counts (its series ALERTS has a sample for each evaluation at which an alert fired), the alert log explains
(alert_history.py): it has the summaries, the first commands and the exact beginnings. Each tells, too, what the other
does not know. ``measure`` asks Prometheus; whoever makes the report adds the log:

    facts = alerts.merge(alerts.measure(prometheus), episodes(path, settings, period.start, period.end), host, period)

and gives None in place of the measured where Prometheus does not answer.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mailserver_exporter.alert_history import Episode
from mailserver_exporter.report.alert_subjects import subject
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Cell, Section, State, Table, worst
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Prometheus, Series

Labels = frozenset[tuple[str, str]]

_FIRING = 'ALERTS{$host, alertstate="firing", alertname!="Watchdog"}'
# Signs of life: the one that fires always, and the one of `check --send-test`.
_NO_NEWS = ("Watchdog", "TestAlert")
_FEWEST_STEPS, _MOST_STEPS = 24, 720
# All series together, in a process that has little memory.
_MOST_POINTS = 50_000
_MOST_PAST = 10
_NOT_KEYS = ("alertname", "alertstate", "severity", "instance", "collector", "job", "mail_stack")
_STATES: Mapping[str, State] = {"critical": "critical", "warning": "warning", "info": "info"}
_ORDER = ("critical", "warning", "info")
_GRAVE = ("critical", "warning")


@dataclass(frozen=True)
class Alert:
    """One alert: ``times`` it fired in the period, ``seconds`` in all; ``since`` when it fires or has been over."""

    name: str
    severity: str
    labels: Mapping[str, str]
    times: int
    seconds: float
    since: float | None = None
    firing: bool = False
    summary: str = ""
    action: str = ""


@dataclass(frozen=True)
class Facts:
    """All alerts of the period."""

    alerts: tuple[Alert, ...]


def measure(prometheus: Prometheus) -> Facts | None:
    """Return the alerts that Prometheus knows of, None where it evaluates no rules of ours. Raises PrometheusError."""
    number = prometheus.value(f"count(last_over_time({_FIRING}[$period]))") or 0
    length = prometheus.period.seconds
    step = max(60.0, length / max(_FEWEST_STEPS, min(_MOST_STEPS, _MOST_POINTS / max(1, number))))
    # A whole number of steps, so that the last one ends with the period.
    step = math.floor(length / max(1, math.floor(length / step)) * 1000) / 1000
    # Counted over each step, so that what fired between two of them is not lost.
    query = f"count_over_time(%s[{step * 1000:.0f}ms])"
    # It fires always: its samples in a step tell how often rules are evaluated.
    watchdog = prometheus.matrix(query % 'ALERTS{alertname="Watchdog", alertstate="firing"}', step)
    found = prometheus.matrix(query % _FIRING, step) if number else []
    if not found and not watchdog:
        return None
    now = {_key(sample.labels) for sample in prometheus.vector(_FIRING)}
    most = max((count for series in (found, watchdog) for each in series for _, count in each.points), default=1.0)
    measured = (_measured(each, prometheus.period, step, step / most, now) for each in found)
    return Facts(tuple(alert for alert in measured if alert.times))


def _measured(series: Series, period: Period, step: float, interval: float, now: Container[Labels]) -> Alert:
    times, seconds, before, began = 0, 0.0, -math.inf, 0.0
    for at, count in series.points:
        # The first point tells of the time before the period.
        if at < period.start.timestamp() + step / 2:
            before = at
            continue
        if at - before > step * 1.5:
            times += 1
            began = at - count * interval
        times, before, seconds = max(times, 1), at, seconds + count * interval
    labels = {name: value for name, value in series.labels.items() if name != "alertstate"}
    firing = _key(series.labels) in now
    # Within its last step it fired at the beginning, as far as can be told.
    over = min(before - step + series.points[-1][1] * interval, before)
    return Alert(
        labels.get("alertname", ""),
        labels.get("severity", ""),
        labels,
        times,
        min(seconds, period.seconds),
        firing=firing,
        since=began or None if firing else over,
    )


def merge(facts: Facts | None, episodes: Iterable[Episode], host: str, period: Period) -> Facts | None:
    """Return what Prometheus measured together with what the alert log says of this host.

    None where neither knows anything: Prometheus did not answer, and the log is empty.
    """
    known = {_key(alert.labels): alert for alert in (facts.alerts if facts else ())}
    names = {(alert.name, tuple(sorted(alert.labels))) for alert in known.values()}
    logged: dict[Labels, list[Episode]] = {}
    for episode in episodes:
        if episode.labels.get("instance", host) == host and episode.alertname not in _NO_NEWS:
            logged.setdefault(_its_key(episode, names, known), []).append(episode)
    for key, those in logged.items():
        known[key] = _explained(known.get(key), those, period, trusted=facts is None)
    if facts is None and not logged:
        return None
    prefix = f"{host}: "
    alerts = (replace(alert, summary=alert.summary.removeprefix(prefix)) for alert in known.values())
    return Facts(tuple(sorted(alerts, key=_by_gravity)))


def _its_key(episode: Episode, names: Iterable[tuple[str, tuple[str, ...]]], known: Container[Labels]) -> Labels:
    """Return the key by which Prometheus knows it: external labels are sent along, but not stored."""
    for name, labels in names:
        if name == episode.alertname:
            key = frozenset((label, episode.labels.get(label, "")) for label in labels)
            if key in known:
                return key
    return _key(episode.labels)


def _explained(alert: Alert | None, episodes: list[Episode], period: Period, *, trusted: bool) -> Alert:
    """Add what the log says; that an alert fires now, it only is ``trusted`` with where Prometheus does not answer."""
    start, end = period.start.timestamp(), period.end.timestamp()
    last = episodes[-1]
    spans = [(each.started.timestamp(), each.ended.timestamp() if each.ended else math.inf) for each in episodes]
    seconds = min(end - start, sum(max(0.0, min(end, over) - max(start, began)) for began, over in spans))
    fires = spans[-1][1] > end
    if alert is None:
        alert = Alert(last.alertname, last.severity, last.labels, 0, 0.0, firing=fires and trusted)
    return replace(
        alert,
        times=max(alert.times, len(episodes)),
        seconds=max(alert.seconds, seconds),
        since=_since(alert, spans, end),
        summary=last.summary,
        action=last.action,
    )


def _since(alert: Alert, spans: list[tuple[float, float]], end: float) -> float | None:
    began, over = spans[-1]
    if alert.firing:
        return began if over > end else alert.since
    return max(alert.since or 0.0, over) if over <= end else alert.since


def show(facts: Facts, say: Language) -> Section:
    """Return the alerts for the reader, what fires now first."""
    alerts = sorted(_gravest(facts.alerts), key=_by_gravity)
    firing = [alert for alert in alerts if alert.firing]
    past = alerts[len(firing) :]
    if firing:
        summary = say.count(len(firing), "{number} alert fires now.", "{number} alerts fire now.")
    else:
        summary = say("No alert fires now.") if past else say("No alert fired.")
    if past:
        summary = f"{summary} {_over(past, say)}"
    left = len(past) - _MOST_PAST
    table = Table(
        ("", ""),
        tuple(_row(alert, say) for alert in (*firing, *past[:_MOST_PAST])),
        left_out=say.count(left, "{number} more is over", "{number} more are over") if left > 0 else "",
        stacked=True,
    )
    states = (_STATES.get(alert.severity, "info") for alert in firing)
    return Section(say("Alerts"), summary, worst(*states, "info" if past else "good"), (table,) if alerts else ())


def _over(past: Sequence[Alert], say: Language) -> str:
    text = say.count(len(past), "{number} is over", "{number} are over")
    critical = sum(alert.severity == "critical" for alert in past)
    if not critical:
        return f"{text}."
    return say("{text} ({number} critical).", text=text, number=say.number(critical))


def _row(alert: Alert, say: Language) -> tuple[Cell, ...]:
    state = _STATES.get(alert.severity, "info") if alert.firing else ""
    return Cell(_named(alert), state), Cell(", ".join(_told(alert, say)))


def _told(alert: Alert, say: Language) -> Iterator[str]:
    severities = {"critical": say("critical"), "warning": say("warning"), "info": say("note")}
    severity, time = severities.get(alert.severity, alert.severity), say.duration(alert.seconds)
    if alert.times > 1:
        text = "{severity} {number} times, {time} in all"
        yield say(text, severity=severity, number=say.number(alert.times), time=time)
    else:
        yield say("{severity} for {time}", severity=severity, time=time)
    if alert.firing and alert.since is not None:
        text = "now since {moment}" if alert.times > 1 else "since {moment}"
        yield say(text, moment=say.moment(alert.since))
    elif alert.firing:
        yield say("still firing")
    elif alert.since is None:
        yield say("over")
    else:
        yield say("over since {moment}", moment=say.moment(alert.since))


def _gravest(alerts: Iterable[Alert]) -> Iterator[Alert]:
    """Leave out the warning of what is, or was, critical as well: it was told as critical."""
    given = list(alerts)
    critical: dict[Labels, bool] = {}
    for alert in given:
        if alert.severity == "critical":
            critical[_without_severity(alert)] = alert.firing
    for alert in given:
        graver = critical.get(_without_severity(alert))
        if alert.severity == "critical" or graver is None or (alert.firing and not graver):
            yield alert


def _without_severity(alert: Alert) -> Labels:
    return frozenset(item for item in alert.labels.items() if item[0] != "severity")


def over(facts: Facts) -> int:
    """Return how many grave alerts are over."""
    return sum(not alert.firing and alert.severity in _GRAVE for alert in _gravest(facts.alerts))


def past(facts: Facts) -> dict[str, State]:
    """Return how grave the alerts that are over were, by the subject that they belong to, and by "alerts" all."""
    found: dict[str, State] = {}
    for alert in facts.alerts:
        if not alert.firing and alert.severity in _GRAVE:
            for name in (subject(alert.labels) or "alerts", "alerts"):
                found[name] = worst(found.get(name, ""), _STATES[alert.severity])
    return found


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield each grave alert that fires, with the first command to run, for the subject that it belongs to."""
    for alert in _gravest(facts.alerts):
        state = _STATES.get(alert.severity, "")
        if alert.firing and state in _GRAVE:
            text = _named(alert)
            if alert.since is not None:
                text = say("{alert} (fires since {moment})", alert=text, moment=say.moment(alert.since))
            keys = _keys(alert).values()
            # Of a target also its port, which is how it is mostly called.
            about = (*keys, *(port for key in keys if (port := key.rpartition(":")[2]).isdecimal()))
            yield Action(state, text, alert.action, "alert-fires", subject(alert.labels) or "alerts", about)


def _named(alert: Alert) -> str:
    keys = ", ".join(_keys(alert).values())
    return alert.summary or (f"{alert.name} ({keys})" if keys else alert.name)


def _keys(alert: Alert) -> dict[str, str]:
    """Return the labels that tell what the alert is about."""
    return {name: value for name, value in sorted(alert.labels.items()) if name not in _NOT_KEYS and value}


def _key(labels: Mapping[str, str]) -> Labels:
    return frozenset(item for item in labels.items() if item[0] != "alertstate")


def _by_gravity(alert: Alert) -> tuple[bool, int, float, str, str]:
    order = _ORDER.index(alert.severity) if alert.severity in _ORDER else len(_ORDER)
    return not alert.firing, order, -alert.seconds, alert.name, _named(alert)
