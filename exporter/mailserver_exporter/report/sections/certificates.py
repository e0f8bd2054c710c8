"""Certificates: how long each is good for, and what clients would object to.

The exporter tells of ports; the same certificate on seven of them is one row. What is the same is known by the end of
the chain and the begin of the certificate, to the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailserver_exporter.report import commands
from mailserver_exporter.report.compared import listed
from mailserver_exporter.report.gauges import Gauges, Limits, gauges, judged
from mailserver_exporter.report.language import Language, marked
from mailserver_exporter.report.model import Action, Cell, Section, State, Table, worst
from mailserver_exporter.report.prometheus import DAY, Prometheus

_EXPIRY = "probe_ssl_earliest_cert_expiry"
_BEGIN = "mailserver_certificate_not_before_timestamp_seconds"
_LEGACY = "mailserver_probe_legacy_tls_offered"
_WEAK_ALGORITHM = re.compile(r"md5|sha-?1(?!\d)", re.IGNORECASE)
_ROWS = 12
# Let's Encrypt renews when a third of the time is left: what has less was to be renewed, and was not.
_LATE = 0.3
_LATE_DAYS = 28

# As in rules/certificates.rules.yml, the gravest first.
_PROBLEMS = {
    "untrusted": marked("not trusted"),
    "self-signed": marked("self-signed"),
    "name": marked("for another name"),
    "future": marked("not valid yet"),
    "weak": marked("too weak"),
    "stale": marked("not the one on disk"),
}


@dataclass(frozen=True)
class Certificate:
    """One certificate and the ports that show it; ``left`` is in seconds at the end of the period."""

    ports: tuple[str, ...]
    expires: float
    left: float
    lifetime: float | None
    limits: Limits
    problems: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """How near its end is, and whether clients object to it."""
        expired: State = "critical" if self.left <= 0 else ""
        return worst(judged(self.left, self.limits, falling=True), expired, "warning" if self.problems else "", "good")

    @property
    def late(self) -> bool:
        """Whether it should have been renewed by now."""
        return self.lifetime is not None and self.left < min(_LATE * self.lifetime, _LATE_DAYS * DAY)


@dataclass(frozen=True)
class Facts:
    """All certificates, the one that ends first before the others."""

    certificates: tuple[Certificate, ...]
    legacy: tuple[str, ...] = ()
    stack: str = ""
    old: bool = False


def measure(prometheus: Prometheus) -> Facts | None:
    """Return the certificates, None where no port shows one. Raises PrometheusError."""
    found = gauges(
        prometheus,
        [_EXPIRY, _BEGIN, _LEGACY]
        + [f"mailserver_certificate_{name}" for name in ("chain_valid", "name_matches", "matches_file", "self_signed")]
        + ["mailserver_certificate_key_bits", "mailserver_certificate_signature_info"],
        ["certificate_remaining_seconds"],
        [commands.STACK],
    )
    if found.value(_EXPIRY) is None:
        return None
    legacy = {
        s.labels["target"] for s in found.matching(_LEGACY) if s.value == 1 and not s.labels["target"].endswith(":25")
    }
    return Facts(
        _certificates(found, prometheus.period.end.timestamp()),
        tuple(sorted(legacy, key=_port)),
        found.label("mail_stack", commands.STACK),
        found.old,
    )


def _certificates(found: Gauges, now: float) -> tuple[Certificate, ...]:
    """Return each certificate once."""
    shown: dict[tuple[float, float | None], list[tuple[str, str]]] = {}
    for sample in found.matching(_EXPIRY):
        # blackbox_exporter, if it is asked beside us, has other labels.
        target, module = sample.labels.get("target", ""), sample.labels.get("module", "")
        begin = found.value(_BEGIN, target=target, module=module)
        if begin is None and target.startswith("[::1]:"):
            # What is the same on [::1] is told of 127.0.0.1 alone.
            begin = found.value(_BEGIN, target=target.replace("[::1]", "127.0.0.1"), module=module)
        shown.setdefault((sample.value, begin), []).append((target, module))
    # A port that was not looked at closely shows what another one shows until then.
    for key in [key for key in shown if key[1] is None]:
        for other in shown:
            if other != key and other[0] == key[0]:
                shown[other] += shown.pop(key)
                break
    certificates = []
    for (expires, begin), where in shown.items():
        limits: dict[State, float] = {}
        problems = set()
        for target, module in where:
            for severity, limit in found.limits("certificate_remaining_seconds", target=target, module=module).items():
                limits[severity] = max(limit, limits.get(severity, limit))
            problems |= set(_problems(found, target, module, now))
        if "self-signed" in problems:
            problems.discard("untrusted")
        certificates.append(
            Certificate(
                tuple(sorted({target for target, _ in where}, key=_port)),
                expires,
                expires - now,
                expires - begin if begin is not None else None,
                limits,
                tuple(name for name in _PROBLEMS if name in problems),
            )
        )
    return tuple(sorted(certificates, key=lambda each: (each.left, each.ports)))


def _problems(found: Gauges, target: str, module: str, now: float) -> Iterator[str]:
    port = {"target": target, "module": module}
    if found.value("mailserver_certificate_chain_valid", **port) == 0:
        yield "self-signed" if found.value("mailserver_certificate_self_signed", **port) == 1 else "untrusted"
    if found.value("mailserver_certificate_name_matches", **port) == 0:
        yield "name"
    if found.value("mailserver_certificate_matches_file", **port) == 0:
        yield "stale"
    if (found.value(_BEGIN, **port) or 0) > now:
        yield "future"
    for key in found.matching("mailserver_certificate_key_bits", **port):
        shortest = {"rsa": 2048, "dsa": 2048, "ecdsa": 224}.get(key.labels.get("key_type", ""), 0)
        if key.value < shortest:
            yield "weak"
    for signature in found.matching("mailserver_certificate_signature_info", **port):
        if _WEAK_ALGORITHM.search(signature.labels.get("algorithm", "")):
            yield "weak"


def _port(target: str) -> tuple[int, str]:
    port = target.rpartition(":")[2]
    return (int(port) if port.isdecimal() else 0), target


def ports(targets: Sequence[str], say: Language) -> str:
    """Return where a certificate is shown: of this machine's ports the numbers, of others all."""
    local = [target.rpartition(":")[2] for target in targets if target.startswith(("127.0.0.1:", "[::1]:"))]
    others = [target for target in targets if not target.startswith(("127.0.0.1:", "[::1]:"))]
    return listed([*dict.fromkeys(local), *others], say, 8)


def show(facts: Facts, say: Language) -> Section:
    """Return the certificates for the reader."""
    first = facts.certificates[0]
    bad = [each for each in facts.certificates if each.problems]
    summary = say.count(len(facts.certificates), "{number} certificate", "{number} certificates") + ", "
    summary += say("the next one ends in {time}", time=say.duration(first.left))
    if first.left <= 0:
        summary = say("expired: {ports}", ports=ports(first.ports, say))
    elif bad:
        summary += "; " + say.count(len(bad), "clients object to {number}", "clients object to {number}")
    rows = tuple(
        (
            Cell(ports(each.ports, say)),
            Cell(say.moment(each.expires)),
            Cell(say("expired") if each.left <= 0 else say.duration(each.left), _ends(each)),
            Cell(
                ", ".join(say(_PROBLEMS[name]) for name in each.problems) or say("none"),
                "warning" if each.problems else "",
            ),
        )
        for each in facts.certificates[:_ROWS]
    )
    left = len(facts.certificates) - _ROWS
    more = say.count(left, "{number} other that ends later", "{number} others that end later") if left > 0 else ""
    table = Table(
        (say("Shown at port"), say("Ends on"), say("Left"), say("Problems")),
        rows,
        numeric=frozenset((2,)),
        left_out=more,
    )
    notes = []
    if facts.legacy:
        notes.append(say("TLS 1.1 or older is still taken at {ports}.", ports=ports(facts.legacy, say)))
    if facts.old:
        notes.append(say("Not measured any more when the period ended; this was found last."))
    state = worst(*(each.state for each in facts.certificates))
    return Section(say("Certificates"), summary, state, (table,), notes=tuple(notes))


def _ends(certificate: Certificate) -> State:
    if certificate.left <= 0:
        return "critical"
    return judged(certificate.left, certificate.limits, falling=True) or ("info" if certificate.late else "good")


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do about each certificate: the first that holds, since the cause is mostly one."""
    for each in facts.certificates:
        where = ports(each.ports, say)
        ending = judged(each.left, each.limits, falling=True)
        if "stale" in each.problems:
            yield Action(
                "critical" if each.left <= 0 else ending or "warning",
                say("Port {ports} shows an old certificate, a newer one is on disk: reload the services.", ports=where),
                commands.reload(facts.stack),
                "certificate-stale",
            )
        elif each.left <= 0:
            yield Action(
                "critical",
                say("The certificate of port {ports} has expired: renew it now.", ports=where),
                commands.renew(facts.stack),
                "certificate-expired",
            )
        elif ending:
            yield Action(
                ending,
                say(
                    "The certificate of port {ports} ends in {time} and was not renewed: see why.",
                    ports=where,
                    time=say.duration(each.left),
                ),
                commands.renew(facts.stack),
                "certificate-expires-within-limit",
            )
        elif each.problems:
            yield _mend(each, where, say)
        elif each.late:
            yield Action(
                "info",
                say(
                    "The certificate of port {ports} should have been renewed by now, it ends in {time}: see why not.",
                    ports=where,
                    time=say.duration(each.left),
                ),
                commands.renew(facts.stack),
                "certificate-renewal-late",
            )
    if facts.legacy:
        yield Action(
            "info",
            say("Port {ports} still takes TLS 1.1 or older: allow 1.2 and newer only.", ports=ports(facts.legacy, say)),
            commands.run(facts.stack, "postfix", "postconf smtpd_tls_protocols smtpd_tls_mandatory_protocols"),
            "tls-legacy-offered",
        )


def _mend(certificate: Certificate, where: str, say: Language) -> Action:
    problem = certificate.problems[0]
    texts = {
        "untrusted": marked(
            "Clients do not trust the certificate of port {ports}: the intermediate certificate is missing, or its "
            "authority is not known."
        ),
        "self-signed": marked("The certificate of port {ports} is self-signed: get one from Let's Encrypt."),
        "name": marked("The certificate of port {ports} is for another name than the one that clients use."),
        "future": marked("The certificate of port {ports} is not valid yet: see whether this host's clock is right."),
        "weak": marked("The certificate of port {ports} is too weak for clients of today: make a new key."),
    }
    command = {"future": "timedatectl"}.get(problem, "mailserver-exporter check | grep certificate")
    return Action("warning", say(texts[problem], ports=where), command, f"certificate-{problem}")
