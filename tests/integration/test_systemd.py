"""systemd's units over a real bus and over systemd's own socket, beside node_exporter."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailserver_exporter.collectors.systemd import SystemdCollector
from mailserver_exporter.sources import SourceError
from tests.support.contexts import context
from tests.support.metrics import Exposition
from tests.support.processes import Program, answers, free_port, wait_for
from tests.support.systemd import Systemd
from tests.support.tools import program

UNITS = {
    "bad.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    "postfix.service": "[Service]\nExecStart=/bin/sleep 1000\n",
    "dovecot.service": "[Service]\nType=exec\nExecStart=/bin/sleep 1000\n",
    "certbot.timer": "[Timer]\nOnActiveSec=100ms\nAccuracySec=1ms\nUnit=renew.service\n",
    "renew.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
}


@pytest.fixture(scope="module")
def manager() -> Iterator[Systemd]:
    systemd = Systemd()
    for name, content in UNITS.items():
        systemd.write(name, content)
    before = Path("/proc/1/cgroup").read_text()
    with systemd:
        # What the manager must never do: take over the control groups of this machine.
        assert Path("/proc/1/cgroup").read_text() == before
        systemd.systemctl("start", "dbus.service")
        wait_for("the bus is there", systemd.bus.exists)
        yield systemd


@pytest.fixture
def systemd(manager: Systemd) -> Iterator[Systemd]:
    manager.systemctl("reset-failed")
    manager.systemctl("start", "postfix.service", "dovecot.service")
    yield manager
    manager.systemctl("stop", *UNITS)


def collector(state: Path, socket: Path, more: str = "") -> SystemdCollector:
    return SystemdCollector(context(state, f"systemd: {{socket: {socket}{more}}}"))


@pytest.fixture(params=["bus", "private"])
def subject(request: pytest.FixtureRequest, systemd: Systemd, tmp_path: Path) -> SystemdCollector:
    return collector(tmp_path, systemd.bus if request.param == "bus" else systemd.socket)


def collect(subject: SystemdCollector) -> Exposition:
    return Exposition.of(subject.collect())


def until(subject: SystemdCollector, what: str, condition: Callable[[Exposition], object]) -> Exposition:
    def look() -> Exposition | None:
        found = collect(subject)
        return found if condition(found) else None

    found = wait_for(what, look)
    assert isinstance(found, Exposition)
    return found


def test_a_unit_that_fails_is_shown_and_its_recovery_is_a_zero(systemd: Systemd, subject: SystemdCollector) -> None:
    found = collect(subject)
    assert found.all("node_systemd_unit_state", name="bad.service") == []
    assert found.value("node_systemd_units", state="failed") == 0

    systemd.systemctl("start", "bad.service")
    found = collect(subject)
    assert found.value("node_systemd_unit_state", name="bad.service", state="failed", type="oneshot") == 1
    assert found.value("node_systemd_units", state="failed") == 1
    assert found.value("node_systemd_system_running") == 0
    assert [finding.detail for finding in subject.findings()] == ["bad.service has failed"]

    systemd.systemctl("reset-failed")
    found = collect(subject)
    assert found.value("node_systemd_unit_state", name="bad.service", state="failed") == 0
    assert found.value("node_systemd_unit_state", name="bad.service", state="inactive") == 1
    assert list(subject.findings()) == []


def test_a_mail_host_s_unit_that_was_active_is_expected(systemd: Systemd, subject: SystemdCollector) -> None:
    assert collect(subject).value("mailserver_systemd_unit_active", name="postfix.service") == 1

    systemd.systemctl("stop", "postfix.service")
    found = collect(subject)
    assert found.value("mailserver_systemd_unit_active", name="postfix.service") == 0
    assert found.value("mailserver_systemd_unit_active", name="dovecot.service") == 1
    assert found.value("node_systemd_unit_state", name="postfix.service", state="inactive") == 1
    assert [finding.detail for finding in subject.findings()] == ["postfix.service is not active"]

    systemd.systemctl("start", "postfix.service")
    assert collect(subject).value("mailserver_systemd_unit_active", name="postfix.service") == 1


def test_a_unit_that_the_configuration_names_must_be_active_even_if_there_is_none(
    systemd: Systemd, tmp_path: Path
) -> None:
    subject = collector(tmp_path, systemd.bus, ", units: [renew.service, nowhere.timer]")
    found = collect(subject)
    assert found.value("mailserver_systemd_unit_active", name="renew.service") == 0
    assert found.value("mailserver_systemd_unit_active", name="nowhere.timer") == 0
    assert found.value("node_systemd_unit_state", name="nowhere.timer", state="inactive") == 1


def test_a_timer_tells_its_last_run(systemd: Systemd, subject: SystemdCollector) -> None:
    systemd.systemctl("start", "certbot.timer")
    found = until(
        subject,
        "the timer ran",
        lambda found: any(s.value for s in found.all("node_systemd_timer_last_trigger_seconds", name="certbot.timer")),
    )
    assert abs(found.value("node_systemd_timer_last_trigger_seconds", name="certbot.timer") - time.time()) < 60


def test_node_exporter_shows_the_same(systemd: Systemd, tmp_path: Path) -> None:
    systemd.systemctl("start", "bad.service")
    systemd.systemctl("start", "certbot.timer")
    subject = collector(tmp_path, systemd.bus, ", units: [renew.service]")
    until(subject, "the timer ran", lambda found: found.all("node_systemd_timer_last_trigger_seconds"))
    port = free_port()
    arguments = [f"--web.listen-address=127.0.0.1:{port}", "--collector.disable-defaults", "--collector.systemd"]
    peer = Program(
        [program("prometheus-node-exporter"), *arguments],
        tmp_path / "node_exporter.log",
        ready=lambda: answers(f"http://127.0.0.1:{port}/"),
        environment={"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={systemd.bus}"},
    )
    with peer:
        # A service that its timer starts may be at work for one of both only: look until nothing has changed meanwhile.
        for _ in range(50):
            before = _series(collect(subject))
            theirs = _series(Exposition.scrape(f"http://127.0.0.1:{port}/metrics"))
            ours = _series(collect(subject))
            if ours == before:
                break

    shown = {dict(labels)["name"] for name, labels in ours if name == "node_systemd_unit_state"}
    assert shown >= {"bad.service", "postfix.service", "dovecot.service", "certbot.timer", "renew.service"}
    # Theirs are all units; of those that we show, all is the same.
    same = {
        key: value
        for key, value in theirs.items()
        if key[0] != "node_systemd_unit_state" or dict(key[1])["name"] in shown
    }
    assert ours == same


def _series(found: Exposition) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return what both have in common. Which version runs and what goes through sockets is not asked for here."""
    names = re.compile(r"node_systemd_(unit_state|units|system_running|timer_last_trigger_seconds)")
    return {
        (s.name, tuple(sorted((k, v) for k, v in s.labels.items() if v))): s.value
        for s in found.samples
        if names.fullmatch(s.name)
    }


def test_a_manager_that_hangs_fails_this_collector_in_time(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailserver_exporter.collectors.systemd._SECONDS", 0.5)
    subject = collector(tmp_path, systemd.socket)
    collect(subject)
    systemd.pause(True)
    try:
        with pytest.raises(SourceError, match=r"systemd does not answer: .*/private: (timed out|no answer in time)"):
            collect(subject)
    finally:
        systemd.pause(False)
    monkeypatch.undo()
    assert collect(subject).names()


def test_without_d_bus_the_collector_is_not_watched_and_says_what_is_missing(tmp_path: Path) -> None:
    nothing = SystemdCollector(context(tmp_path / "state", "", tmp_path))
    assert not nothing.detect().found

    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert nothing.detect().found
    with pytest.raises(
        SourceError, match=r"system_bus_socket: No such file or directory; .*/private: No such file"
    ) as caught:
        collect(nothing)
    assert caught.value.remedy == "systemctl start dbus, or apt install dbus"
