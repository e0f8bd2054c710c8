"""Each panel of each dashboard shows something on a mail host on which something has happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import picture_data
from mailserver_exporter.report.outbox import Outbox, State
from mailserver_exporter.report.schedule import Done
from picture_data import Source, Span
from tests.support.mailhost import PROBE, MailHost
from tests.support.processes import wait_for
from tests.support.tools import ROOT
from tests.support.watchers import INSTANCE, Watchers

PANELS = [
    (path.name, panel, target)
    for path in sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]
    for target in panel.get("targets", ())
]
NAMES = [f"{name}: {panel['title']} {target['refId']}" for name, panel, target in PANELS]


# The mail host may have to wait for another's Docker Engine.
pytestmark = pytest.mark.timeout(900)

# A destination that refuses mail; those of the mail host only do not answer.
BOUNCED = (
    "Nov 22 03:00:00 mail postfix/smtp[1]: 4F1A22E: to=<a@b.example>, relay=b.example[192.0.2.1]:25, delay=1, "
    "delays=0/0/0.5/0.5, dsn=5.1.1, status=bounced (host b.example[192.0.2.1] said: 550 5.1.1 unknown)\n"
)
TIMER = "[Timer]\nOnActiveSec=1s\nAccuracySec=1s\nUnit=backup.service\n"
# What is only known some time after the start, besides what the alert and the restart wait for.
SLOW = (
    "mailserver_roundtrip_success",
    "mailserver_probe_legacy_tls_offered",
    "mailserver_backup_readable",
    "mailserver_dns_check",
    "mailserver_blocklist_listed",
    "mailserver_fail2ban_bans_current",
    'node_systemd_unit_state{state="failed"} == 1',
    "node_systemd_timer_last_trigger_seconds > 0",
    "postfix_smtp_bounced_messages_by_dsn_total",
    "mailserver_report_last_success_timestamp_seconds > 0",
    "instance_service:mailserver_postfix_bounced:ratio_increase1h",
    "instance_service:mailserver_postfix_deferred:ratio_increase15m",
)


@pytest.fixture(scope="module")
def watchers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watchers]:
    """A host on which something has happened in every corner: enough for every panel."""
    with MailHost() as host, Watchers(tmp_path_factory.mktemp("watchers"), host.settings()) as watchers:
        deliveries = "count_over_time(mailserver_postfix_deliveries_total[1m]) >= 2"
        wait_for("deliveries are counted", lambda: watchers.query(deliveries), 60, pause=1)
        host.postfix.submit(25)
        host.postfix.submit(25, recipient=PROBE)
        host.fail2ban.ban("192.0.2.1")
        with host.postfix.log.open("a") as log:
            log.write(BOUNCED)
        host.systemd.write("certbot.timer", TIMER)
        host.systemd.systemctl("daemon-reload")
        host.systemd.systemctl("restart", "certbot.timer")
        wait_for("restarts are counted", lambda: watchers.query("mailserver_container_restarts_total"), 40, pause=1)
        os.kill(host.container("redis-mailcow").attrs["State"]["Pid"], signal.SIGKILL)
        # One that has missed its time is sent as soon as that is noticed.
        Outbox(watchers.exporter.state).save(State(done=Done(times=(time.time() - 3 * 86400,))))
        firing = 'ALERTS{alertstate="firing", alertname="QueueTooLong"}'
        restarted = "increase(mailserver_container_restarts_total[10m]) > 0"
        wait_for("the queue is found too long", lambda: watchers.query(firing), 90, pause=1)
        for known in (restarted, *SLOW):
            wait_for(f"{known} is known", lambda known=known: watchers.query(known), 90, pause=1)
        yield watchers


def span() -> Span:
    now = time.time()
    return Span(now - 300, now)


def test_the_list_of_hosts_is_found(watchers: Watchers) -> None:
    assert Source(watchers.prometheus_url).hosts == (INSTANCE,)


@pytest.mark.parametrize(("_file", "panel", "target"), PANELS, ids=NAMES)
def test_shows_something(watchers: Watchers, _file: str, panel: dict[str, Any], target: dict[str, Any]) -> None:
    found = Source(watchers.prometheus_url).target(target, span())
    assert found, target["expr"]
    assert any(series.points for series in found)


@pytest.mark.parametrize(("_file", "panel", "target"), PANELS, ids=NAMES)
def test_names_each_series_differently(
    watchers: Watchers, _file: str, panel: dict[str, Any], target: dict[str, Any]
) -> None:
    names = [series.name for series in Source(watchers.prometheus_url).target(target, span())]
    assert all(names)
    assert len(set(names)) == len(names)


def test_a_query_that_prometheus_refuses_is_told(watchers: Watchers) -> None:
    with pytest.raises(picture_data.QueryError, match="sum by"):
        Source(watchers.prometheus_url).target({"expr": "sum by ("}, span())


def test_the_picture_can_be_drawn(watchers: Watchers, tmp_path: Path) -> None:
    output = tmp_path / "overview.png"
    command = [sys.executable, ROOT / "grafana" / "picture.py", f"--prometheus.url={watchers.prometheus_url}"]
    done = subprocess.run(
        [*command, "--minutes=5", f"--output={output}"], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    head = output.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    assert width == 1400
    assert height > 2000
