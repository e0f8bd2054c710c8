"""Who is told what, through real Alertmanagers: the oldest and the newest that we support."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.alertmanager import RECIPIENTS, SENDER, Alertmanager, alert, notifications
from tests.support.exporter import NO_COLLECTORS, Exporter
from tests.support.processes import wait_for
from tests.support.smtp import SmtpServer
from tests.support.telegram import FakeTelegram
from tests.support.tools import RELEASES, ROOT, program

THROTTLE = 3.0


@dataclass
class Heartbeat:
    """A heartbeat service: records when it was called and with what."""

    calls: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/ping/0123"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Road:
    """Alertmanager, and all whom it tells. Each test uses an instance label of its own, so they share no group."""

    alertmanager: Alertmanager
    telegram: FakeTelegram
    smtp: SmtpServer
    exporter: Exporter
    heartbeat: Heartbeat

    def telegrams(self, instance: str) -> list[str]:
        """Return the Telegram messages about an instance."""
        return [message.text for message in self.telegram.messages if instance in message.text]

    def subjects(self, instance: str) -> list[str]:
        """Return the subjects of the mails about an instance."""
        return [mail.subject for mail in self.smtp.mails if instance in mail.subject]

    def logged(self, instance: str) -> list[tuple[str, str]]:
        """Return (alert name, status) of the log's lines about an instance."""
        file = self.exporter.state / "alerts.jsonl"
        records = map(json.loads, file.read_text().splitlines() if file.exists() else ())
        return [(r["alertname"], r["status"]) for r in records if r["labels"].get("instance") == instance]


@pytest.fixture(scope="module", params=RELEASES)
def road(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    folder = tmp_path_factory.mktemp(request.param)
    with (
        FakeTelegram() as telegram,
        SmtpServer(folder) as smtp,
        Heartbeat() as heartbeat,
        Exporter(folder / "exporter", NO_COLLECTORS) as exporter,
    ):
        assert isinstance(exporter, Exporter)
        settings = {"notifications": notifications(folder, telegram, smtp, heartbeat.url, THROTTLE)}
        waits = {
            "telegram": {"group_wait": "500ms"},
            "email": {"group_wait": "500ms"},
            "heartbeat": {"group_interval": "1s", "repeat_interval": "500ms"},
        }
        with Alertmanager(
            folder, settings, release=request.param, exporter_url=exporter.url, waits=waits
        ) as alertmanager:
            assert isinstance(alertmanager, Alertmanager)
            yield Road(alertmanager, telegram, smtp, exporter, heartbeat)
        assert telegram.rejected == []


def settle(throttles: float = 1) -> None:
    time.sleep(THROTTLE * throttles + 0.5)


def once(condition: Callable[[], object], what: str = "the message") -> None:
    wait_for(what, condition, THROTTLE * 5)


def test_critical_and_warning_are_told_everywhere_and_so_is_their_end(road: Road) -> None:
    host = "told.example.org"
    fault = [alert("PortDown", instance=host), alert("FilesystemSpaceLow", "warning", instance=host)]
    road.alertmanager.post(*fault)
    once(lambda: len(road.telegrams(host)) == 2)
    once(lambda: len(road.subjects(host)) == 2)
    once(lambda: len(road.logged(host)) == 2)
    road.alertmanager.post(
        alert("PortDown", instance=host, resolved=True),
        alert("FilesystemSpaceLow", "warning", instance=host, resolved=True),
    )
    once(lambda: len(road.telegrams(host)) == 4, "the end by Telegram")
    once(lambda: len(road.subjects(host)) == 4, "the end by e-mail")
    once(lambda: len(road.logged(host)) == 4, "the end in the log")

    assert {text.splitlines()[0] for text in road.telegrams(host)} == {
        f"🔴 CRITICAL {host}: 1 alert",
        f"🟠 WARNING {host}: 1 alert",
        f"✅ RESOLVED {host}: 1 critical alert",
        f"✅ RESOLVED {host}: 1 warning alert",
    }
    assert sorted(road.subjects(host)) == [
        f"[CRITICAL] {host}: PortDown",
        f"[RESOLVED] {host}: FilesystemSpaceLow",
        f"[RESOLVED] {host}: PortDown",
        f"[WARNING] {host}: FilesystemSpaceLow",
    ]
    assert sorted(road.logged(host)) == [
        ("FilesystemSpaceLow", "firing"),
        ("FilesystemSpaceLow", "resolved"),
        ("PortDown", "firing"),
        ("PortDown", "resolved"),
    ]


def test_info_and_what_has_no_severity_go_to_the_log_only(road: Road) -> None:
    host = "info.example.org"
    road.alertmanager.post(
        alert("LoadHigh", "info", instance=host), {"labels": {"alertname": "OfTheAdmin", "instance": host}}
    )
    once(lambda: len(road.logged(host)) == 2)
    settle()
    assert road.telegrams(host) == road.subjects(host) == []


def test_what_fires_together_is_one_message(road: Road) -> None:
    host = "together.example.org"
    road.alertmanager.post(*(alert("PortDown", instance=host, target=f"{host}:{port}") for port in (25, 143, 993)))
    once(lambda: road.telegrams(host))
    once(lambda: road.subjects(host))
    assert road.telegrams(host)[0].splitlines()[0] == f"🔴 CRITICAL {host}: 3 alerts"
    assert road.subjects(host) == [f"[CRITICAL] {host}: PortDown and 2 more"]
    once(lambda: len(road.logged(host)) == 3, "the lines in the log")


def test_critical_is_repeated_each_throttle_time_and_warning_is_not(road: Road) -> None:
    host = "repeated.example.org"
    road.alertmanager.post(alert("PortDown", instance=host), alert("MemoryUsageHigh", "warning", instance=host))
    once(lambda: sum("CRITICAL" in text for text in road.telegrams(host)) == 2, "a repetition")
    times = [m.time for m in road.telegram.messages if f"CRITICAL {host}" in m.text]
    for earlier, later in itertools.pairwise(times):
        assert THROTTLE * 0.8 < later - earlier < THROTTLE * 1.5
    assert sum("WARNING" in text for text in road.telegrams(host)) == 1
    assert sum("WARNING" in subject for subject in road.subjects(host)) == 1


def test_what_comes_later_waits_for_the_throttle_but_is_logged_at_once(road: Road) -> None:
    host = "later.example.org"
    road.alertmanager.post(alert("PortDown", instance=host))
    once(lambda: road.telegrams(host))
    first = [message.time for message in road.telegram.messages if host in message.text]
    road.alertmanager.post(alert("ServiceDown", instance=host))
    wait_for("it is in the log", lambda: ("ServiceDown", "firing") in road.logged(host), 4)
    assert len(road.telegrams(host)) == 1
    once(lambda: len(road.telegrams(host)) == 2)
    [_, second] = [message.time for message in road.telegram.messages if host in message.text]
    assert second - first[0] > THROTTLE * 0.8
    assert "ServiceDown" in road.telegrams(host)[1]


def test_the_watchdog_calls_the_heartbeat_and_nobody_else(road: Road) -> None:
    watchdog = alert("Watchdog", "none", instance="")
    road.alertmanager.post(watchdog)
    once(lambda: len(road.heartbeat.calls) >= 3)
    road.alertmanager.post({**watchdog, "endsAt": watchdog["startsAt"]})
    time.sleep(1.5)
    calls = len(road.heartbeat.calls)
    time.sleep(2)
    assert len(road.heartbeat.calls) == calls
    assert {call["status"] for call in road.heartbeat.calls} == {"firing"}
    assert not [message for message in road.telegram.messages if "Watchdog" in message.text]
    assert "Watchdog" not in (road.exporter.state / "alerts.jsonl").read_text()


def test_mail_is_delivered_as_providers_demand(road: Road) -> None:
    host = "provider.example.org"
    road.alertmanager.post(alert("PortDown", "warning", instance=host))
    once(lambda: road.subjects(host))
    [mail] = [mail for mail in road.smtp.mails if host in mail.subject]
    assert (mail.sender, mail.recipients, mail.helo) == (SENDER, tuple(RECIPIENTS), "mail.example.org")
    assert mail.message["From"] == SENDER
    assert mail.message["To"] == ", ".join(RECIPIENTS)
    assert mail.message["Date"]
    assert mail.message["Message-Id"]
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in mail.message.iter_parts()] == ["text/plain", "text/html"]


def test_a_warning_that_turned_critical_is_not_told_as_resolved(road: Road) -> None:
    host = "worse.example.org"
    road.alertmanager.post(alert("FilesystemSpaceLow", "warning", instance=host, mountpoint="/var"))
    once(lambda: road.telegrams(host))
    road.alertmanager.post(alert("FilesystemSpaceLow", "critical", instance=host, mountpoint="/var"))
    once(lambda: len(road.telegrams(host)) == 2)
    settle()
    assert [text.split()[1] for text in road.telegrams(host)][:2] == ["WARNING", "CRITICAL"]
    assert not [text for text in road.telegrams(host) if "RESOLVED" in text or "No longer" in text]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("channels", ["none", "telegram", "email", "heartbeat", "all"])
def test_every_rendering_is_valid(tmp_path: Path, release: str, channels: str) -> None:
    with FakeTelegram() as telegram:
        smtp = SmtpServer(tmp_path)
        section = notifications(
            tmp_path,
            telegram if channels in ("telegram", "all") else None,
            smtp if channels in ("email", "all") else None,
            "https://heartbeat.example/x" if channels in ("heartbeat", "all") else "",
        )
        rendered = Alertmanager(tmp_path, {"notifications": section}, release=release).configuration
    told = {"none": [], "heartbeat": [], "all": ["telegram", "email"]}.get(channels, [channels])
    subprocess.run([program("amtool", release), "check-config", rendered], check=True, capture_output=True)
    for labels, receivers in (
        ("alertname=PortDown severity=critical instance=a", ["log", *told]),
        ("alertname=PortDown severity=warning instance=a", ["log", *told]),
        ("alertname=LoadHigh severity=info instance=a", ["log"]),
        ("alertname=OfTheAdmin", ["log"]),
        ("alertname=Watchdog severity=none", ["heartbeat"]),
    ):
        subprocess.run(
            [
                *(program("amtool", release), "config", "routes", "test", f"--config.file={rendered}"),
                *(f"--verify.receivers={','.join(receivers)}", *labels.split()),
            ],
            check=True,
            capture_output=True,
        )


@pytest.mark.parametrize("release", RELEASES)
def test_the_template_is_valid_as_it_is_shipped(release: str) -> None:
    shipped = ROOT / "alertmanager" / "alertmanager.yml"
    subprocess.run([program("amtool", release), "check-config", shipped], check=True, capture_output=True)


@pytest.mark.parametrize("release", RELEASES)
def test_prometheus_files_are_valid(tmp_path: Path, release: str) -> None:
    rendered = Alertmanager(tmp_path, {}, release=release).configuration.with_name("prometheus.yml")
    subprocess.run([program("promtool", release), "check", "config", rendered], check=True, capture_output=True)


@pytest.mark.parametrize("release", RELEASES)
def test_port_465_speaks_tls_first(tmp_path: Path, release: str) -> None:
    host = f"127.46.5.{10 + RELEASES.index(release)}"
    with SmtpServer(tmp_path, host=host, port=465, implicit_tls=True) as smtp:
        settings = {"notifications": notifications(tmp_path, smtp=smtp)}
        waits = {"email": {"group_wait": "0s"}}
        with Alertmanager(tmp_path, settings, release=release, waits=waits) as alertmanager:
            assert isinstance(alertmanager, Alertmanager)
            alertmanager.post(alert("PortDown"))
            wait_for("the mail", lambda: smtp.mails)


def test_the_shipped_times_are_those_of_the_design() -> None:
    content = yaml.safe_load((ROOT / "alertmanager" / "alertmanager.yml").read_text())
    throttled = [route for route in content["route"]["routes"] if route["receiver"] in ("telegram", "email")]
    assert len(throttled) == 2
    for route in throttled:
        assert route["group_by"] == ["instance", "severity"]
        assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("15s", "1h", "11h59m")
        assert [child["repeat_interval"] for child in route["routes"]] == ["59m"]
