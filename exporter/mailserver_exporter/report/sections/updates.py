"""Updates that wait, and a reboot that waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mailserver_exporter.report.compared import NUMERIC, headings, row
from mailserver_exporter.report.gauges import Limits, gauges, judged
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action, Cell, Section, Table, worst
from mailserver_exporter.report.prometheus import Compared, Prometheus

_PENDING = "mailserver_updates_pending"
_NONE = Compared(None, None, None)


@dataclass(frozen=True)
class Facts:
    """Packages that wait, and ages in seconds at the end of the period; ``reboot_age`` is None when none is due."""

    security: Compared
    other: Compared
    held: Compared
    security_age: float | None
    reboot_age: float | None
    reboot_since: float | None
    lists_age: float | None
    running: str
    installed: str
    security_limits: Limits
    reboot_limits: Limits
    lists_limits: Limits
    old: bool = False


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what waits, None where neither apt nor dpkg are. Raises PrometheusError."""
    found = gauges(
        prometheus,
        [
            *(_PENDING, "node_reboot_required", "apt_package_cache_timestamp_seconds", "mailserver_kernel_info"),
            *("mailserver_security_update_age_seconds", "mailserver_reboot_required_age_seconds"),
        ],
        ["security_update_age_seconds", "reboot_required_age_seconds", "package_lists_age_seconds"],
    )
    if not found:
        return None
    compared = prometheus.compared_by(f"max by (class) ({_PENDING}{{$host}})", "class")

    def waiting(name: str) -> Compared:
        # Where it was not measured any more at the end, what was found last.
        return replace(compared.get((name,), _NONE), now=found.value(_PENDING, **{"class": name}))

    now = prometheus.period.end.timestamp()
    reboot = found.value("mailserver_reboot_required_age_seconds") if found.value("node_reboot_required") else None
    lists = found.value("apt_package_cache_timestamp_seconds")
    kernel = next(found.matching("mailserver_kernel_info"), None)
    return Facts(
        waiting("security"),
        waiting("other"),
        waiting("held"),
        found.value("mailserver_security_update_age_seconds"),
        reboot,
        now - reboot if reboot is not None else None,
        now - lists if lists is not None else None,
        kernel.labels.get("running", "") if kernel else "",
        kernel.labels.get("installed", "") if kernel else "",
        found.limits("security_update_age_seconds"),
        found.limits("reboot_required_age_seconds"),
        found.limits("package_lists_age_seconds"),
        found.old,
    )


def show(facts: Facts, say: Language) -> Section:
    """Return what waits for the reader."""
    security = judged(facts.security_age, facts.security_limits)
    reboot = judged(facts.reboot_age, facts.reboot_limits)
    lists = judged(facts.lists_age, facts.lists_limits)
    waiting = (facts.security.now or 0) + (facts.other.now or 0)
    summary = say.count(waiting, "{number} update waits", "{number} updates wait")
    if facts.security.now:
        summary += ", " + say(
            "{security} of them for security, for {age}",
            security=say.number(facts.security.now),
            age=say.duration(facts.security_age),
        )
    if not waiting:
        summary = say("no update waits")
    if facts.reboot_age is not None:
        summary += "; " + say("a reboot has been due for {age}", age=say.duration(facts.reboot_age))
    rows = [
        row(say("security updates"), facts.security, say, security),
        row(say("other updates"), facts.other, say),
    ]
    if facts.held.now:
        rows.append(row(say("held back"), facts.held, say))
    tables = [Table(headings(say("Waiting"), say), tuple(rows), numeric=NUMERIC)]
    state_rows = []
    if facts.security.now:
        state_rows.append((Cell(say("oldest security update")), Cell(say.duration(facts.security_age), security)))
    if facts.lists_age is not None:
        state_rows.append((Cell(say("age of the package lists")), Cell(say.duration(facts.lists_age), lists)))
    due = say("no")
    if facts.reboot_since is not None:
        due = say("since {moment}", moment=say.moment(facts.reboot_since))
    state_rows.append((Cell(say("reboot required")), Cell(due, reboot or ("info" if facts.reboot_since else ""))))
    if facts.running:
        kernel = facts.running
        if facts.installed and facts.installed != facts.running:
            kernel = say("{running}, installed {installed}", running=facts.running, installed=facts.installed)
        state_rows.append((Cell(say("kernel")), Cell(kernel)))
    tables.append(Table((say("State"), ""), tuple(state_rows)))
    notes = (say("Not measured any more when the period ended; this was found last."),) if facts.old else ()
    return Section(say("Updates"), summary, worst(security, reboot, lists, "good"), tuple(tables), notes=notes)


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do about updates; a reboot last, since updates may ask for one again."""
    lists = judged(facts.lists_age, facts.lists_limits)
    if lists:
        yield Action(
            lists,
            say(
                "apt has not heard of new updates for {age}: see whether it is still asked.",
                age=say.duration(facts.lists_age),
            ),
            "apt-get update; systemctl status apt-daily.timer",
            "package-lists-old",
        )
    security = judged(facts.security_age, facts.security_limits)
    if security:
        yield Action(
            security,
            say.count(
                facts.security.now or 0,
                "{number} security update has been waiting for {age}: install it.",
                "{number} security updates have been waiting, the oldest for {age}: install them.",
                age=say.duration(facts.security_age),
            ),
            "apt-get update && apt-get upgrade",
            "security-updates-waiting",
        )
    reboot = judged(facts.reboot_age, facts.reboot_limits)
    if reboot:
        yield Action(
            reboot,
            say(
                "A reboot has been due for {age}, the old kernel or library runs on: choose a quiet hour.",
                age=say.duration(facts.reboot_age),
            ),
            "cat /run/reboot-required.pkgs; systemctl reboot",
            "reboot-due",
        )
