"""The metrics of probes: blackbox_exporter's names where it has one, ours for what it does not tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.sources.probe import PHASES, REASONS, Result

_LABELS = ("target", "module")
# blackbox_exporter's spelling (getTLSVersion in its prober/tls.go) of OpenSSL's names.
_VERSIONS = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
# Its names for the phases of a page, and ours.
_HTTP_PHASES = {
    "resolve": "resolve",
    "connect": "connect",
    "tls": "tls",
    "processing": "greeting",
    "transfer": "transfer",
}


def families(results: Sequence[Result], expects_starttls: Collection[str]) -> Iterator[Metric]:
    """Yield the families; ``expects_starttls`` names the targets that STARTTLS is expected of."""
    yield from _outcome(results)
    yield from _tls(results)
    yield from _dialogue(results, expects_starttls)
    yield from _http([result for result in results if result.target.module in ("http", "https")])


def _outcome(results: Sequence[Result]) -> Iterator[Metric]:
    success = _gauge("probe_success", "Whether the port greeted as its protocol demands.")
    duration = _gauge("probe_duration_seconds", "How long it took until the outcome was known.")
    lookup = _gauge("probe_dns_lookup_time_seconds", "How long the lookup of the target's name took.")
    protocol = _gauge("probe_ip_protocol", "The version of IP that was spoken, 4 or 6; 0 without a connection.")
    phases = _gauge("mailserver_probe_phase_duration_seconds", "Duration of a phase; 0 if it was not reached.", "phase")
    failure = _gauge("mailserver_probe_failure", "Why the probe failed; all 0 where it did not.", "reason")
    for result in results:
        key = _key(result)
        success.add_metric(key, float(result.up))
        duration.add_metric(key, result.seconds)
        lookup.add_metric(key, result.phases.get("resolve", 0.0))
        protocol.add_metric(key, result.ip_protocol)
        for phase in PHASES:
            phases.add_metric([*key, phase], result.phases.get(phase, 0.0))
        for reason in REASONS:
            failure.add_metric([*key, reason], float(reason == result.reason))
    yield from (success, duration, lookup, protocol, phases, failure)


def _tls(results: Sequence[Result]) -> Iterator[Metric]:
    expiry = _gauge(
        "probe_ssl_earliest_cert_expiry",
        "Earliest end of validity among the certificates that the port presented, in Unix time.",
    )
    version = _gauge("probe_tls_version_info", "The version of TLS that was agreed on; always 1.", "version")
    cipher = _gauge("probe_tls_cipher_info", "The cipher that was agreed on; always 1.", "cipher")
    for result in results:
        shaken = result.handshake
        if shaken is None:
            continue
        key = _key(result)
        if shaken.expiry is not None:
            expiry.add_metric(key, shaken.expiry)
        version.add_metric([*key, _VERSIONS.get(shaken.version, shaken.version)], 1)
        cipher.add_metric([*key, shaken.cipher], 1)
    yield from (expiry, version, cipher)


def _dialogue(results: Sequence[Result], expects_starttls: Collection[str]) -> Iterator[Metric]:
    """Yield what the server said of itself, as far as it was asked."""
    starttls = _gauge(
        "mailserver_probe_starttls_success",
        "Whether STARTTLS is offered and leads to TLS; only where it did before or is configured.",
    )
    auth = _gauge("mailserver_probe_auth_offered", "Whether the port offers AUTH, before TLS and in it.", "tls")
    for result in results:
        key, notes = _key(result), result.notes
        if result.target.name in expects_starttls and "starttls" in notes:
            starttls.add_metric(key, float(bool(notes["starttls"]) and result.handshake is not None))
        for tls, note in (("no", "auth_in_clear"), ("yes", "auth")):
            if note in notes:
                auth.add_metric([*key, tls], notes[note])
    yield from (starttls, auth)


def _http(results: Sequence[Result]) -> Iterator[Metric]:
    """Yield what is known of web servers only."""
    status = _gauge("probe_http_status_code", "The status that the web server answered, 0 without an answer.")
    version = _gauge("probe_http_version", "The version of HTTP that the web server answered in, 0 without an answer.")
    ssl = _gauge("probe_http_ssl", "Whether the page came over TLS.")
    duration = _gauge("probe_http_duration_seconds", "Duration of a phase; 0 if it was not reached.", "phase")
    hsts = _gauge("mailserver_probe_http_hsts", "Whether the web server asks to be spoken to over TLS only (HSTS).")
    for result in results:
        key, notes = _key(result), result.notes
        status.add_metric(key, notes.get("http_status", 0))
        version.add_metric(key, notes.get("http_version", 0))
        ssl.add_metric(key, float(result.handshake is not None))
        for phase, ours in _HTTP_PHASES.items():
            duration.add_metric([*key, phase], result.phases.get(ours, 0.0))
        if "hsts" in notes:
            hsts.add_metric(key, notes["hsts"])
    yield from (status, version, ssl, duration, hsts)


def _gauge(name: str, help_text: str, *more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, labels=[*_LABELS, *more])


def _key(result: Result) -> list[str]:
    return [result.target.label, result.target.module]
