"""The exporter's HTTP interface, in its own process."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
import requests

from tests.support.exporter import Exporter
from tests.support.processes import wait_for
from tests.support.tools import program

# Only collectors that are on every machine: what is tested here is what stands before them.
QUIET = "".join(
    f"{name}: {{enabled: false}}\n" for name in ("containers", "queue", "ports", "fail2ban", "vmail", "top")
)


@pytest.fixture(scope="module")
def exporter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    with Exporter(tmp_path_factory.mktemp("exporter"), QUIET) as running:
        assert isinstance(running, Exporter)
        yield running


def test_serves_metrics(exporter: Exporter) -> None:
    answer = requests.get(f"{exporter.url}/metrics", timeout=10)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    found = exporter.scrape()
    assert found.value("mailserver_collector_success", collector="load") == 1
    assert found.value("mailserver_exporter_config_last_reload_successful") == 1
    assert found.all("process_resident_memory_bytes")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/-/healthy", 200),
        ("GET", "/-/ready", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/metrics?collect[]=cpu", 200),
        ("GET", "/nothing", 404),
        ("GET", "/../../etc/passwd", 404),
        ("POST", "/metrics", 404),
        ("DELETE", "/metrics", 501),
        ("GET", "/-/reload", 404),
    ],
)
def test_answers_what_it_should(exporter: Exporter, method: str, path: str, status: int) -> None:
    assert requests.request(method, exporter.url + path, timeout=10).status_code == status


def test_the_status_page_tells_what_is_watched_and_what_is_not(exporter: Exporter) -> None:
    exporter.scrape()
    page = requests.get(f"{exporter.url}/", timeout=10)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<td>load</td><td><span class=good>works</span></td>" in page.text
    assert "switched off in the configuration" in page.text
    assert "queue_oldest_message_age_seconds</td><td>warning 1 h, critical 4 h</td>" in page.text


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 400),
        ({"Content-Type": "application/json"}, b"not json", 400),
        ({"Content-Type": "application/json"}, b"[" * 100_000, 400),
        ({"Content-Type": "text/plain"}, b'{"alerts": []}', 415),
        ({"Content-Type": "application/json"}, b'{"alerts": []}', 200),
    ],
)
def test_the_alert_webhook_takes_only_what_alertmanager_sends(
    exporter: Exporter, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert requests.post(f"{exporter.url}/alerts", data=body, headers=headers, timeout=10).status_code == status


def test_a_body_that_is_announced_too_large_is_refused_unread(exporter: Exporter) -> None:
    with socket.create_connection(("127.0.0.1", exporter.port), timeout=5) as client:
        client.sendall(
            b"POST /alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
        )
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("request_head", "answer"),
    [
        (b"GET http://[x/metrics HTTP/1.1\r\n", b"HTTP/1.1 404 "),
        (
            b"POST /alerts HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %s\r\n" % (b"9" * 5000),
            b"HTTP/1.1 413 ",
        ),
        (b"GET /-/healthy HTTP/1.1\r\nX-Prometheus-Scrape-Timeout-Seconds: nan\r\n", b"HTTP/1.1 200 "),
        (b"\x00\xff\r\n", b""),
    ],
)
def test_a_request_that_makes_no_sense_is_no_error_of_ours(
    exporter: Exporter, request_head: bytes, answer: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", exporter.port), timeout=5) as client:
        client.sendall(request_head + b"Host: x\r\n\r\n")
        assert client.recv(100).startswith(answer)
    assert "Traceback" not in exporter.output()


def test_clients_that_say_nothing_hold_up_nobody(exporter: Exporter) -> None:
    silent = [socket.create_connection(("127.0.0.1", exporter.port), timeout=5) for _ in range(20)]
    try:
        started = time.monotonic()
        assert exporter.scrape().value("mailserver_collector_success", collector="load") == 1
        assert time.monotonic() - started < 5
    finally:
        for client in silent:
            client.close()


def test_more_connections_than_the_bound_are_dropped_and_it_recovers(exporter: Exporter) -> None:
    many = [socket.create_connection(("127.0.0.1", exporter.port), timeout=5) for _ in range(60)]
    wait_for("the drop is told", lambda: "one was dropped" in exporter.output())
    for client in many:
        client.close()
    wait_for("scrapes are answered again", lambda: requests.get(f"{exporter.url}/metrics", timeout=5).ok)


def test_a_client_that_goes_away_is_no_error(exporter: Exporter) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", exporter.port), timeout=10) as client:
            client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            client.recv(1)  # closing with the rest unread resets the connection
    assert requests.get(f"{exporter.url}/metrics", timeout=10).ok
    assert "level=error" not in exporter.output()


def test_a_bad_reload_keeps_the_running_configuration(tmp_path: Path) -> None:
    with Exporter(tmp_path, QUIET) as running:
        assert isinstance(running, Exporter)
        good = running.config.read_text()
        running.config.write_text("limits: {load_per_core: {critical: 3}}\n" + good)
        assert requests.post(f"{running.url}/-/reload", timeout=10).status_code == 200
        assert running.scrape().value("mailserver_threshold_load_per_core", severity="critical") == 3

        running.config.write_text("limits: {load_per_core: {critical: never}, cpu_usage_ratio: 5}\n" + good)
        answer = requests.post(f"{running.url}/-/reload", timeout=10)
        assert answer.status_code == 400
        assert "limits.load_per_core.critical: must be a number" in answer.text
        assert "limits.cpu_usage_ratio: must be a mapping" in answer.text
        found = running.scrape()
        assert found.value("mailserver_threshold_load_per_core", severity="critical") == 3
        assert found.value("mailserver_exporter_config_last_reload_successful") == 0
        assert "must be a number" in requests.get(running.url, timeout=10).text

        running.config.write_text("limits: {load_per_core: {critical: 4}}\n" + good)
        running.send(signal.SIGHUP)
        wait_for(
            "the reload by signal",
            lambda: running.scrape().value("mailserver_threshold_load_per_core", severity="critical") == 4,
        )
        assert running.scrape().value("mailserver_exporter_config_last_reload_successful") == 1


def test_ends_at_once_and_cleanly_when_asked(tmp_path: Path) -> None:
    running = Exporter(tmp_path, QUIET)
    with running:
        running.scrape()
        started = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - started < 3
    assert "Traceback" not in running.output()


def test_users_and_tls_of_the_web_configuration_file(tmp_path: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    web_config = tmp_path / "web.yml"
    web_config.write_text(
        f"tls_server_config: {{cert_file: cert.pem, key_file: key.pem}}\nbasic_auth_users: {{prometheus: '{hashed}'}}\n"
    )
    running = Exporter(tmp_path, QUIET, arguments=(f"--web.config.file={web_config}",))
    url = running.url.replace("http:", "https:") + "/metrics"
    running._ready = lambda: "listening" in running.output()
    trusted = str(tmp_path / "cert.pem")
    with running:
        assert requests.get(url, timeout=10, verify=trusted).status_code == 401
        assert requests.get(url, timeout=10, verify=trusted, auth=("prometheus", "wrong")).status_code == 401
        assert requests.get(url, timeout=10, verify=trusted, auth=("nobody", "right")).status_code == 401
        for _ in range(2):
            assert requests.get(url, timeout=10, verify=trusted, auth=("prometheus", "right")).status_code == 200
        broken = {"Authorization": "Basic " + base64.b64encode(b"no colon").decode()}
        assert requests.get(url, timeout=10, verify=trusted, headers=broken).status_code == 401
        with pytest.raises(requests.ConnectionError):
            requests.get(running.url + "/metrics", timeout=10)
    assert "right" not in running.output()
    assert "Traceback" not in running.output()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--config.file=missing.yml"], "missing.yml: cannot be read: No such file or directory"),
        (["--web.listen-address=9925"], "'9925' is not HOST:PORT, such as 127.0.0.1:9925"),
        (["--web.listen-address=192.0.2.1:9925"], "cannot listen: "),
        (["--web.config.file=missing.yml"], "missing.yml: cannot be read"),
        (["--log.level=loud"], "invalid choice"),
        (["nonsense"], "invalid choice"),
        (["check", "--alertmanager.url=ftp://x"], "is not a URL"),
        (["render", "--output=out", "--exporter.url=http://"], "is not a URL"),
        (["render", "--output=out", "--exporter.url=http://[x"], "is not a URL"),
        (["render", "--output=out", "--prometheus.url=http://a:99999"], "is not a URL"),
    ],
)
def test_wrong_use_ends_with_status_2_and_says_why(tmp_path: Path, arguments: list[str], told: str) -> None:
    command = Exporter(tmp_path).command[:3] + arguments
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LOG_LEVEL", "verbose", "argument --log.level: invalid choice: 'verbose' (choose from debug, info"),
        ("LOG_FORMAT", "xml", "argument --log.format: invalid choice: 'xml'"),
        ("WEB_LISTEN_ADDRESS", "127.0.0.1:²", "'127.0.0.1:²' is not HOST:PORT"),
        ("WEB_LISTEN_ADDRESS", " ", "'' is not HOST:PORT"),
        ("CONFIG_FILE", "missing.yml", "missing.yml: cannot be read"),
    ],
)
def test_a_wrong_environment_variable_is_wrong_use(tmp_path: Path, name: str, value: str, told: str) -> None:
    done = subprocess.run(
        Exporter(tmp_path).command[:3],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=tmp_path,
        check=False,
        env={**os.environ, f"MAILSERVER_EXPORTER_{name}": value},
    )
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_check_says_what_is_watched_and_exits_by_what_it_found(tmp_path: Path) -> None:
    # What needs attention on the machine that the tests run on is its own affair.
    others = "".join(
        f"{name}: {{enabled: false}}\n" for name in ("updates", "certificates", "backups", "systemd", "dns")
    )
    exporter = Exporter(tmp_path, f"{QUIET}{others}limits: {{load_per_core: {{info: null}}}}\n")
    command = [*exporter.command[:3], "check", "--measure-only", f"--config.file={exporter.config}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "limits.load_per_core.info is switched off" in done.stdout
    assert "nothing needs your attention" in done.stdout
    assert not exporter.state.exists(), "check remembers nothing"

    secret = tmp_path / "token"
    secret.write_text("123:abc")
    secret.chmod(0o644)
    with exporter.config.open("a") as file:
        file.write(f"notifications: {{telegram: {{bot_token_file: {secret}, chat_id: 5}}}}\n")
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    found = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert found["Telegram"]["state"] == "bad"
    assert found["Telegram"]["remedy"] == f"chmod 0600 {secret}"
    assert found["load"]["state"] == "good"
    assert "123:abc" not in done.stdout + done.stderr


def test_the_whole_exposition_is_clean_for_promtool(exporter: Exporter) -> None:
    for release in ("bookworm", "sid"):
        done = subprocess.run(
            [program("promtool", release), "check", "metrics"],
            input=exporter.scrape().text,
            capture_output=True,
            text=True,
            check=False,
        )
        # The peers' own names that promtool dislikes are node_exporter's, kept so that dashboards go on working.
        told = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("node_")]
        assert told == []
