"""What others see of us: the DNS of the mail domains and of the mail host, and the blocklists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from shlex import quote

from mailserver_exporter.report.compared import listed
from mailserver_exporter.report.gauges import gauges
from mailserver_exporter.report.language import Language, marked
from mailserver_exporter.report.model import Action, Cell, Section, State, Table, worst
from mailserver_exporter.report.prometheus import Prometheus

_CHECK, _ERROR = "mailserver_dns_check", "mailserver_dns_check_error"
_LISTED, _NO_ANSWER = "mailserver_blocklist_listed", "mailserver_blocklist_error"
_CHECKED, _LISTS_CHECKED = (
    "mailserver_dns_last_check_timestamp_seconds",
    "mailserver_blocklist_last_check_timestamp_seconds",
)
_ROWS = 20
# RFC 7208, section 4.6.4, allows 10.
_LOOKUPS, _NEAR_LOOKUPS = 10, 9
_SHORT_KEY = 2048
# Checked every hour at least.
_OVERDUE = 3 * 3600.0

# By the name of the check: what it is about, and what to do.
_CHECKS = {
    "mx": (marked("MX"), marked("other servers do not find where to bring mail to")),
    "a": (marked("address of the mail host"), marked("the mail host's name leads elsewhere")),
    "aaaa": (marked("IPv6 address of the mail host"), marked("the mail host's name leads elsewhere")),
    "ptr": (marked("reverse DNS"), marked("large providers refuse mail from this address")),
    "spf": (marked("SPF"), marked("others cannot see that our mail is ours")),
    "dkim": (marked("DKIM"), marked("others cannot see that our mail is ours")),
    "dmarc": (marked("DMARC"), marked("others do not know what to do with forged mail")),
    "mta_sts": (marked("MTA-STS"), marked("servers that heed it may not deliver")),
    "tls_rpt": (marked("TLS reports"), marked("nobody tells you of failures of TLS")),
    "tlsa": (marked("DANE (TLSA)"), marked("servers that heed it do not deliver")),
    "dnssec": (marked("DNSSEC"), marked("resolvers that check it do not find the domain")),
    "caa": (marked("CAA"), marked("the next certificate may be refused")),
}
_SEVERITIES: tuple[State, ...] = ("", "info", "warning", "critical")


@dataclass(frozen=True)
class Facts:
    """What fails; each pair is (domain, check) or (list, family), times are in Unix time."""

    domains: tuple[str, ...]
    failing: Mapping[tuple[str, str], State] = field(default_factory=dict)
    unknown: tuple[tuple[str, str], ...] = ()
    listed: tuple[tuple[str, str], ...] = ()
    lists: tuple[str, ...] = ()
    no_answer: tuple[str, ...] = ()
    checked: float | None = None
    lists_checked: float | None = None
    dmarc_none: tuple[str, ...] = ()
    lookups: Mapping[str, float] = field(default_factory=dict)
    short_keys: Mapping[str, float] = field(default_factory=dict)
    end: float = 0.0
    old: bool = False


def measure(prometheus: Prometheus) -> Facts | None:
    """Return what is wrong, None where neither DNS nor blocklists are watched. Raises PrometheusError."""
    found = gauges(
        prometheus,
        [
            *(_CHECK, _ERROR, _CHECKED, _LISTED, _NO_ANSWER, _LISTS_CHECKED),
            *("mailserver_dns_dmarc_info", "mailserver_dns_spf_lookups", "mailserver_dns_dkim_key_bits"),
        ],
        ["dns_check"],
    )
    checks = [*found.matching(_CHECK), *found.matching(_ERROR)]
    lists = [*found.matching(_LISTED), *found.matching(_NO_ANSWER)]
    if not checks and not lists:
        return None
    failing: dict[tuple[str, str], State] = {}
    for check in found.matching(_CHECK):
        name = check.labels["check"]
        limits = found.limits("dns_check", check=name)
        if check.value == 0:
            failing[check.labels["domain"], name] = max(limits, key=_SEVERITIES.index, default="info")
    keys: dict[str, float] = {}
    for key in found.matching("mailserver_dns_dkim_key_bits", type="rsa"):
        keys[key.labels["domain"]] = min(key.value, keys.get(key.labels["domain"], key.value))
    return Facts(
        tuple(sorted({check.labels["domain"] for check in checks})),
        failing,
        tuple(
            sorted((each.labels["domain"], each.labels["check"]) for each in found.matching(_ERROR) if each.value == 1)
        ),
        tuple(
            sorted((each.labels["list"], each.labels["family"]) for each in found.matching(_LISTED) if each.value == 1)
        ),
        tuple(sorted({each.labels["list"] for each in lists})),
        tuple(sorted({each.labels["list"] for each in found.matching(_NO_ANSWER) if each.value == 1})),
        # 0 until the first round.
        found.value(_CHECKED) or None,
        found.value(_LISTS_CHECKED) or None,
        tuple(found.by("domain", "mailserver_dns_dmarc_info", policy="none")),
        found.by("domain", "mailserver_dns_spf_lookups"),
        keys,
        prometheus.period.end.timestamp(),
        found.old,
    )


def show(facts: Facts, say: Language) -> Section:
    """Return it for the reader; where all is well, in one line."""
    tables = []
    failing = sorted(facts.failing.items(), key=lambda each: (-_SEVERITIES.index(each[1]), each[0]))
    if failing:
        tables.append(
            Table(
                (say("Domain"), say("Check"), say("What comes of it")),
                tuple(
                    (Cell(domain), Cell(about(check, say), state), Cell(_effect(check, say)))
                    for (domain, check), state in failing[:_ROWS]
                ),
                left_out=say("{number} others", number=len(failing) - _ROWS) if len(failing) > _ROWS else "",
            )
        )
    if facts.listed:
        rows = tuple((Cell(name, "warning"), Cell(_family(family))) for name, family in facts.listed[:_ROWS])
        tables.append(Table((say("Listed by"), say("Address")), rows))
    notes = [_checked(facts, say)]
    if facts.unknown:
        number = len(facts.unknown)
        notes.append(
            say.count(
                number, "{number} check got no answer from the DNS.", "{number} checks got no answer from the DNS."
            )
        )
    if facts.no_answer:
        notes.append(say("No answer from {lists}.", lists=listed(facts.no_answer, say)))
    if facts.old:
        notes.append(say("Not measured any more when the period ended; this was found last."))
    state = worst(*facts.failing.values(), "warning" if facts.listed else "", "info" if facts.unknown else "", "good")
    return Section(
        say("DNS and blocklists"), _summary(facts, say), state, tuple(tables), notes=tuple(filter(None, notes))
    )


def _summary(facts: Facts, say: Language) -> str:
    parts = []
    if facts.failing:
        parts.append(say.count(len(facts.failing), "{number} check fails", "{number} checks fail"))
    elif facts.domains:
        parts.append(say.count(len(facts.domains), "all is well of {number} domain", "all is well of {number} domains"))
    if facts.listed:
        names = tuple(dict.fromkeys(name for name, _ in facts.listed))
        parts.append(say("listed by {lists}", lists=listed(names, say)))
    elif answering := [name for name in facts.lists if name not in facts.no_answer]:
        parts.append(say.count(len(answering), "on none of {number} blocklist", "on none of {number} blocklists"))
    if facts.unknown and not facts.failing:
        parts.append(say("not everything could be asked"))
    return ", ".join(parts) or say("not everything could be asked")


def _checked(facts: Facts, say: Language) -> str:
    times = [time for time in (facts.checked, facts.lists_checked) if time]
    return say("Checked last on {moment}.", moment=say.moment(min(times))) if times else ""


def about(check: str, say: Language) -> str:
    """Return what a check is about."""
    return say(_CHECKS[check][0]) if check in _CHECKS else check


def _effect(check: str, say: Language) -> str:
    return say(_CHECKS[check][1]) if check in _CHECKS else ""


def _family(family: str) -> str:
    return {"ipv4": "IPv4", "ipv6": "IPv6"}.get(family, family)


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do: one action for each check that fails, whatever the number of domains."""
    for check in sorted(
        {check for _, check in facts.failing},
        key=lambda name: (list(_CHECKS).index(name) if name in _CHECKS else 99, name),
    ):
        states = {domain: state for (domain, name), state in facts.failing.items() if name == check}
        first = min(states)
        yield Action(
            worst(*states.values()),
            say(
                "{check} of {domains} is not right: {effect}.",
                check=about(check, say),
                domains=listed(sorted(states), say, 3),
                effect=_effect(check, say) or say("the check says why"),
            ),
            f"mailserver-exporter check | grep -A1 {quote(f'dns {first}')}",
            f"dns-{check.replace('_', '-')}-fails",
        )
    if facts.listed:
        names = tuple(dict.fromkeys(name for name, _ in facts.listed))
        yield Action(
            "warning",
            say(
                "{lists} lists our address: find out who sent what they saw, stop it, then ask to be taken off.",
                lists=listed(names, say),
            ),
            f"mailserver-exporter check | grep {quote(names[0])}",
            "address-on-blocklist",
        )
    yield from _advise_dns(facts, say)
    if facts.lists and set(facts.lists) == set(facts.no_answer):
        yield Action(
            "info",
            say("No blocklist answers: they refuse public resolvers. Let this host have a resolver of its own."),
            "cat /etc/resolv.conf",
            "blocklists-give-no-answer",
        )


def _advise_dns(facts: Facts, say: Language) -> Iterator[Action]:
    overdue = facts.checked is not None and not facts.old and facts.end - facts.checked > _OVERDUE
    if facts.unknown and len(facts.unknown) * 2 >= len(facts.unknown) + len(facts.failing):
        domains = sorted({domain for domain, _ in facts.unknown})
        yield Action(
            "warning",
            say(
                "The DNS of {domains} could not be asked: see whether the resolver answers; others may fare the same.",
                domains=listed(domains, say, 3),
            ),
            f"dig +trace MX {quote(domains[0])}",
            "dns-gives-no-answer",
        )
    elif overdue and facts.checked is not None:
        yield Action(
            "info",
            say("The DNS was checked last {age} ago: see why.", age=say.duration(facts.end - facts.checked)),
            "mailserver-exporter check | grep dns",
            "dns-not-checked",
        )
    # What is wrong already has its action above.
    near = {
        d: n for d, n in facts.lookups.items() if _NEAR_LOOKUPS <= n <= _LOOKUPS and (d, "spf") not in facts.failing
    }
    if near:
        worst_one = max(near, key=lambda domain: near[domain])
        yield Action(
            "info",
            say(
                "SPF of {domains} needs {number} of 10 lookups: one more and it is void. Name networks instead.",
                domains=listed(sorted(near), say, 3),
                number=say.number(near[worst_one]),
            ),
            f"dig +short TXT {quote(worst_one)}",
            "spf-lookups-near-limit",
        )
    if none := [domain for domain in facts.dmarc_none if (domain, "dmarc") not in facts.failing]:
        yield Action(
            "info",
            say(
                'DMARC of {domains} is "none": anybody may forge its senders. Read the reports, then go on to '
                "quarantine.",
                domains=listed(none, say, 3),
            ),
            f"dig +short TXT {quote(f'_dmarc.{none[0]}')}",
            "dmarc-policy-none",
        )
    short = [d for d, bits in facts.short_keys.items() if bits < _SHORT_KEY and (d, "dkim") not in facts.failing]
    if short:
        yield Action(
            "info",
            say(
                "The DKIM key of {domains} is shorter than 2048 bits: make a new one.",
                domains=listed(sorted(short), say, 3),
            ),
            f"mailserver-exporter check | grep -A1 {quote(f'dns {min(short)}')}",
            "dkim-key-short",
        )
