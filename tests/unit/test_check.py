"""What ``check`` finds, as far as it needs no server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailserver_exporter import check, check_monitoring
from mailserver_exporter.app import build
from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.settings.notifications import Notifications


@contextmanager
def listener(said: bytes) -> Iterator[int]:
    """Take one client at a port, hear it, and say something."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.mark.parametrize(
    "said", [b"220 mail.example.org ESMTP\r\n", b"HTTP/1.1 500 no\r\n\r\n", b""], ids=["SMTP", "error", "nothing"]
)
def test_a_test_alert_that_is_not_taken_is_a_finding(said: bytes) -> None:
    with listener(said) as port:
        found = check.send_test(f"http://127.0.0.1:{port}", "mail.example.org")
    assert found.state == "bad"
    assert f"http://127.0.0.1:{port} did not take it" in found.detail
    assert found.remedy


def test_the_file_that_cannot_be_read_is_named_in_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "etc/postfix/main.cf").mkdir(parents=True)
    setup = build(Config(state_directory=tmp_path / "state"), Host(str(tmp_path)), (), remember=False)
    [problem] = [finding for finding in check.check(setup) if finding.state == "bad"]
    assert "cannot read main.cf" in problem.detail
    assert problem.remedy == "let the exporter read /etc/postfix/main.cf"


@pytest.mark.parametrize(
    "answer", ["{}", "[]", "null", '{"data": {"activeTargets": [{"labels": 5}]}}', '{"config": 5}']
)
def test_json_of_somebody_else_is_told_as_such(answer: str) -> None:
    said = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + answer.encode()
    with listener(said) as port:
        [found] = check_monitoring.prometheus(f"http://127.0.0.1:{port}")
    assert (found.state, found.detail) == (
        "bad",
        f"nobody judges what is measured: what answers at http://127.0.0.1:{port} is no Prometheus",
    )
    with listener(said) as port:
        [found] = check_monitoring.alertmanager(f"http://127.0.0.1:{port}", Notifications())
    assert (found.state, "is no Alertmanager" in found.detail) == ("bad", True)
