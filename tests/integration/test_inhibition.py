"""Which alert silences which, by real Alertmanagers: the oldest and the newest that we support."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.alertmanager import Alertmanager
from tests.support.processes import wait_for
from tests.support.tools import RELEASES


@pytest.fixture(scope="module", params=RELEASES)
def alertmanager(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    with Alertmanager(tmp_path_factory.mktemp(request.param), {}, release=request.param) as alertmanager:
        assert isinstance(alertmanager, Alertmanager)
        yield alertmanager


DOCKER = {"alertname": "DockerDown", "collector": "containers"}
SPACE = {"alertname": "FilesystemSpaceLow", "mountpoint": "/var", "collector": "filesystem"}
WARNING = {"severity": "warning"}


def port(number: int, module: str, name: str = "PortDown") -> dict[str, str]:
    return {"alertname": name, "target": f"127.0.0.1:{number}", "module": module, "collector": "ports"}


def certificate(name: str, number: int = 993, module: str = "imap_tls") -> dict[str, str]:
    return {**port(number, module, name), **WARNING, "collector": "certificates"}


def unit(unit: str, name: str = "SystemdUnitInactive") -> dict[str, str]:
    return {"alertname": name, "name": unit, "collector": "systemd", **WARNING}


def loop(name: str, which: str = "local") -> dict[str, str]:
    return {"alertname": name, "loop": which, "collector": "roundtrip"}


def log(name: str, source: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, "source": source, "collector": "logs", **WARNING, **labels}


def dns(name: str, domain: str = "example.org", **labels: str) -> dict[str, str]:
    return {"alertname": name, "domain": domain, "collector": "dns", **WARNING, **labels}


def backup(name: str, which: str = "data", severity: str = "warning") -> dict[str, str]:
    return {"alertname": name, "name": which, "collector": "backups", "severity": severity}


IMAPS, SMTP, WEB = port(993, "imap_tls"), port(25, "smtp_starttls"), port(443, "https", "WebmailDown")
MAILCOW = {**DOCKER, "mail_stack": "mailcow"}
SILENT_POSTFIX = log("LogSourceSilent", "/var/log/mail.log", program="postfix")
SILENT_DOVECOT = log("LogSourceSilent", "/var/log/mail.log", program="dovecot")
SSH_ATTACK = {"alertname": "SshAttack", "collector": "logs", **WARNING}
NETFILTER = {"alertname": "NetfilterRestarting", "collector": "logs", **WARNING}
RESTARTING = {"alertname": "ContainerRestarting", "collector": "containers"}
NO_ANSWER = {"alertname": "BlocklistCheckFailing", "list": "zen.spamhaus.org", "family": "ipv4", "severity": "info"}

# (the cause, what may follow from it, whether it does); on the same host and critical unless it says otherwise.
INHIBITION = [
    ({"alertname": "ExporterDown"}, SPACE, True),
    ({"alertname": "ExporterDown"}, {**DOCKER}, True),
    ({"alertname": "ExporterDown"}, {"alertname": "CollectorFailed", "collector": "vmail"}, True),
    ({"alertname": "ExporterDown"}, {"alertname": "ExporterConfigReloadFailed"}, True),
    ({"alertname": "ExporterDown"}, {"alertname": "AlertmanagerNotificationsFailing"}, False),
    ({"alertname": "ExporterDown"}, {"alertname": "Watchdog"}, False),
    ({"alertname": "ExporterDown"}, {**SPACE, "instance": "OTHER"}, False),
    (DOCKER, {"alertname": "ServiceDown", "service": "dovecot", "collector": "containers"}, True),
    (DOCKER, {"alertname": "ContainerStopped", "name": "x", "collector": "containers"}, True),
    ({**DOCKER, "mail_stack": "native"}, {"alertname": "PortDown", "target": "x:25", "collector": "ports"}, False),
    ({**DOCKER, "mail_stack": "mailcow"}, {"alertname": "PortDown", "target": "x:25", "collector": "ports"}, True),
    (DOCKER, {"alertname": "ExporterDown"}, False),
    (
        {"alertname": "Fail2banDown", "collector": "fail2ban"},
        {"alertname": "Fail2banJailMissing", "collector": "fail2ban"},
        True,
    ),
    ({"alertname": "CollectorFailed", "collector": "filesystem"}, SPACE, True),
    ({"alertname": "CollectorFailed", "collector": "disk"}, SPACE, False),
    (SPACE, {**SPACE, "severity": "warning"}, True),
    (SPACE, {**SPACE, "severity": "info"}, True),
    ({**SPACE, "severity": "warning"}, {**SPACE, "severity": "info"}, True),
    ({**SPACE, "severity": "warning"}, SPACE, False),
    (SPACE, {**SPACE, "severity": "warning", "mountpoint": "/home"}, False),
    (SPACE, {**SPACE, "severity": "warning", "alertname": "FilesystemInodesLow"}, False),
    (SPACE, {**SPACE, "severity": "warning", "instance": "OTHER"}, False),
    # A port, and what it shows
    (IMAPS, certificate("CertificateUntrusted"), True),
    (IMAPS, certificate("CertificateStale"), True),
    (IMAPS, certificate("TlsLegacyOffered"), True),
    (IMAPS, {**certificate("CertificateExpired"), "severity": "critical"}, True),
    (IMAPS, certificate("CertificateUntrusted", 995, "pop3_tls"), False),
    (IMAPS, {**certificate("CertificateUntrusted"), "instance": "OTHER"}, False),
    (WEB, certificate("CertificateNameWrong", 443, "https"), True),
    (SMTP, port(25, "smtp_starttls", "StarttlsGone"), True),
    (SMTP, port(587, "smtp_starttls", "StarttlsGone"), False),
    (SMTP, {**port(25, "smtp_starttls", "AuthOfferedInClear"), **WARNING}, True),
    (port(25, "smtp_starttls", "StarttlsGone"), certificate("CertificateNameWrong", 25, "smtp_starttls"), True),
    (port(25, "smtp_starttls", "StarttlsGone"), SMTP, False),
    (port(993, "imap_tls", "CertificateExpired"), certificate("CertificateUntrusted"), True),
    (port(993, "imap_tls", "CertificateExpired"), certificate("CertificateExpiring"), True),
    (port(993, "imap_tls", "CertificateExpired"), certificate("CertificateStale"), False),
    (port(993, "imap_tls", "CertificateExpired"), certificate("CertificateNameWrong"), False),
    (port(993, "imap_tls", "CertificateExpired"), certificate("CertificateUntrusted", 995, "pop3_tls"), False),
    # A port, and the unit that should serve it
    (SMTP, unit("postfix@-.service"), True),
    (SMTP, unit("postfix@-.service", "SystemdUnitFailed"), True),
    (SMTP, unit("dovecot.service"), False),
    (IMAPS, unit("dovecot.service"), True),
    (IMAPS, unit("postfix@-.service"), False),
    (IMAPS, unit("backup.service", "SystemdUnitFailed"), False),
    (WEB, unit("nginx.service"), True),
    (DOCKER, unit("docker.service", "SystemdUnitFailed"), True),
    (DOCKER, unit("postfix@-.service"), False),
    ({"alertname": "Fail2banDown", "collector": "fail2ban", **WARNING}, unit("fail2ban.service"), True),
    (unit("dovecot.service", "SystemdUnitFailed"), IMAPS, False),
    # A port, and the messages that go through it
    (IMAPS, loop("MailLoginFailing"), True),
    (SMTP, loop("MailLoopBroken"), True),
    (SMTP, {**loop("MailOutsideLoopBroken", "in"), **WARNING}, True),
    (port(995, "pop3_tls"), loop("MailLoopBroken"), False),
    (WEB, loop("MailLoginFailing"), False),
    (loop("MailLoginFailing"), IMAPS, False),
    (loop("MailLoginFailing"), {**loop("MailLoopUnreliable"), **WARNING}, True),
    (loop("MailLoopBroken"), {**loop("MailLoopSlow"), **WARNING}, True),
    (loop("MailLoopBroken"), {**loop("MailAuthenticationFailing", "out"), **WARNING}, False),
    # Docker, and what containers serve and write
    (MAILCOW, WEB, True),
    (MAILCOW, loop("MailLoopBroken"), True),
    ({**DOCKER, "mail_stack": "native"}, loop("MailLoopBroken"), False),
    (DOCKER, log("LogSourceUnreadable", "container/netfilter-mailcow"), True),
    (DOCKER, log("LogSourceSilent", "container/postfix-mailcow", program="postfix"), True),
    (DOCKER, log("LogSourceUnreadable", "/var/log/mail.log"), False),
    ({**RESTARTING, "name": "mailcowdockerized-netfilter-mailcow-1"}, NETFILTER, True),
    ({**RESTARTING, "name": "mailcowdockerized-redis-mailcow-1"}, NETFILTER, False),
    # A log
    (log("LogSourceUnreadable", "/var/log/mail.log"), SILENT_POSTFIX, True),
    (log("LogSourceUnreadable", "journal"), SILENT_POSTFIX, False),
    (SILENT_POSTFIX, log("LogSourceUnreadable", "/var/log/mail.log"), False),
    (SMTP, SILENT_POSTFIX, True),
    (SMTP, SILENT_DOVECOT, False),
    (IMAPS, SILENT_DOVECOT, True),
    ({"alertname": "CollectorFailed", "collector": "logs", **WARNING}, SILENT_POSTFIX, True),
    ({"alertname": "SshLoginAfterFailures", "collector": "logs"}, SSH_ATTACK, True),
    (SSH_ATTACK, {"alertname": "SshLoginAfterFailures", "collector": "logs"}, False),
    # The DNS
    (dns("DnsResolverFailing"), dns("DnsCheckFailed", check="spf"), True),
    (dns("DnsResolverFailing"), {**dns("DnsCheckFailed", check="mx"), "severity": "critical"}, False),
    (dns("DnsResolverFailing"), dns("DnsCheckFailed", "example.net", check="spf"), False),
    (dns("DnsResolverFailing"), {**NO_ANSWER, "collector": "blocklists"}, True),
    (dns("DnsResolverFailing"), {**NO_ANSWER, **WARNING, "alertname": "Blocklisted"}, False),
    (
        {**dns("DnsCheckFailed", check="mx"), "severity": "critical"},
        {**dns("DnsCheckFailed", check="spf"), "severity": "info"},
        False,
    ),
    # Backups
    (backup("BackupMissing"), backup("BackupOld"), True),
    (backup("BackupMissing"), backup("BackupOld", severity="critical"), False),
    (backup("BackupMissing"), backup("BackupCopyMissing"), True),
    (backup("BackupMissing"), backup("BackupFailed"), False),
    (backup("BackupMissing"), backup("BackupSmall", "configs"), False),
    (backup("BackupUnreadable"), backup("BackupSmall"), True),
    (backup("BackupSmall"), backup("BackupUnreadable"), False),
    (backup("BackupOld"), backup("BackupCopyMissing"), True),
    (backup("BackupOld", severity="critical"), backup("BackupOld"), True),
    (backup("BackupOld", severity="critical"), backup("BackupOld", "configs"), False),
    ({"alertname": "CollectorFailed", "collector": "backups", **WARNING}, backup("BackupOld"), True),
]


def test_a_cause_silences_what_follows_and_nothing_else(alertmanager: Alertmanager) -> None:
    expected: dict[str, bool] = {}
    for number, (cause, follows, silenced) in enumerate(INHIBITION):
        host = f"inhibition-{number}.example.org"
        labels = {"severity": "critical", "instance": host, "case": f"{number} {cause} {follows}", **follows}
        if labels["instance"] == "OTHER":
            labels["instance"] = f"other-{host}"
        alertmanager.post(
            {"labels": {"severity": "critical", "instance": host, "case": f"cause {number}", **cause}},
            {"labels": labels},
        )
        expected[labels["case"]] = silenced

    def inhibited() -> dict[str, bool]:
        held = {a["labels"].get("case"): bool(a["status"]["inhibitedBy"]) for a in alertmanager.alerts()}
        return {case: held[case] for case in expected}

    wait_for("all are silenced that should be", lambda: sum(inhibited().values()) >= sum(expected.values()), 10)
    assert inhibited() == expected
