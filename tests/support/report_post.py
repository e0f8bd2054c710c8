"""A host whose daily report is due, a Prometheus that has measured nothing worth telling, and a mail server between.

Each can be told to stop at a point, so that a test can kill who waits for it just there.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import yaml

from mailserver_exporter.report.outbox import Outbox, State
from mailserver_exporter.report.schedule import Done
from tests.support import certificates
from tests.support.listeners import Behaviour
from tests.support.processes import wait_for
from tests.support.smtp_script import SmtpScript

PASSWORD = "abcd efgh ijkl mnop"
TO = ("admin@example.net", "second@example.net")
DAY = 86400


class Answers(dict[str, "str | Behaviour"]):
    """Answers of the mail server; ``before`` is called with each thing that it is about to answer."""

    before: Callable[[str], object] = staticmethod(lambda _: None)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the answer."""
        self.before(key)
        return super().get(key, default)


@dataclass
class Post:
    """What the tests work with; see ``post``."""

    folder: Path
    script: SmtpScript
    prometheus: _Prometheus
    to: tuple[str, ...] = TO
    report: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outbox(self) -> Outbox:
        """The files of the state directory."""
        return Outbox(self.folder / "state")

    def settings(self) -> dict[str, Any]:
        """Return the configuration."""
        return {
            "hostname": "mail.example.org",
            "state_directory": str(self.folder / "state"),
            "notifications": {
                "email": {
                    "to": list(self.to),
                    "sender": "watch@example.net",
                    "smarthost": self.script.address,
                    "username": "watch@example.net",
                    "password_file": str(self.folder / "password"),
                    "ca_file": str(self.folder / "authority.pem"),
                },
            },
            "report": {"at": "02:00", "time_zone": "Etc/UTC", "prometheus_url": self.prometheus.url, **self.report},
        }

    def make_due(self) -> None:
        """Leave the state of a host that was down for two days."""
        newest = time.time() // DAY * DAY + 2 * 3600
        self.outbox.save(State(done=Done("02:00 Etc/UTC", (newest - 3 * DAY,))))

    def begin(self, *, again: bool = False, state: Any = None, since: float = 0.0) -> subprocess.Popen[bytes]:
        """Start the errand as the exporter does; ``again`` as one that has just been started."""
        request = {
            "config": yaml.safe_dump(self.settings()),
            "name": "config.yml",
            "rootfs": "/",
            "send": True,
            "again": again,
            "patient": False,
            "since": since,
            "state": state,
        }
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "mailserver_exporter.errands", "report"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode())
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, *, again: bool = False, state: Any = None, since: float = 0.0) -> dict[str, Any]:
        """Run the errand to its end and return what it answers."""
        with self.begin(again=again, state=state, since=since) as process:
            try:
                answer, complaint = process.communicate(timeout=100)
            finally:
                process.kill()
        assert process.returncode == 0, complaint.decode()
        assert PASSWORD not in f"{answer!r}{complaint!r}"
        reply: dict[str, Any] = json.loads(answer)
        assert "answer" in reply, reply
        found: dict[str, Any] = reply["answer"]
        return found

    def kill_at(self, point: str) -> None:
        """Start the errand and kill it when the mail server or Prometheus is about to answer ``point``."""
        reached, go_on = threading.Event(), threading.Event()

        def stop(what: str) -> None:
            if what == point:
                reached.set()
                go_on.wait(60)

        self._kill_when(reached.is_set, stop, go_on)

    def kill_when_writing(self, name: str, point: str = "") -> None:
        """Start the errand and kill it when it is about to write a file, after ``point`` or from its beginning.

        The file is a pipe that nobody reads, so that whoever opens it to write waits.
        """
        made: list[Path] = []

        def make(what: str) -> None:
            if what == point and not made:
                pipe = self._file(name)
                os.mkfifo(pipe)
                made.append(pipe)

        make("")
        self._kill_when(lambda: made and self._waits_for_a_pipe(), make, threading.Event())
        for pipe in made:
            pipe.unlink(missing_ok=True)

    def messages(self) -> list[EmailMessage]:
        """Return what the mail server has accepted."""
        return [
            cast("EmailMessage", email.message_from_bytes(each, policy=email.policy.default))
            for each in self.script.messages
        ]

    def _file(self, name: str) -> Path:
        letter = (self.outbox.load() or State()).letter
        name = letter.name if name == "message" and letter is not None else name
        return (self.outbox.directory / name).with_suffix(".new")

    def _kill_when(
        self, condition: Callable[[], object], before: Callable[[str], object], go_on: threading.Event
    ) -> None:
        answers = self.script.answers
        assert isinstance(answers, Answers)
        answers.before = self.prometheus.before = before
        self._running = self.begin(again=True)
        with self._running as process:
            try:
                wait_for("the point is reached", lambda: condition() or process.poll() is not None, 60)
                assert process.poll() is None, "it ended before"
            finally:
                process.kill()
        answers.before = self.prometheus.before = lambda _: None
        go_on.set()

    def _waits_for_a_pipe(self) -> bool:
        with contextlib.suppress(OSError):
            return Path(f"/proc/{self._running.pid}/wchan").read_text() in ("wait_for_partner", "fifo_open")
        return False


class _Prometheus(http.server.ThreadingHTTPServer):
    """Says that it has asked the exporter all day, and knows of nothing else."""

    daemon_threads = True
    before: Callable[[str], object] = staticmethod(lambda _: None)

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.ready = True
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Request(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, _Prometheus)
        assert self.path == "/-/ready"
        self.server.asked.append("ready")
        self.send_response(200 if self.server.ready else 503)
        self.end_headers()

    def do_POST(self) -> None:
        query = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert isinstance(self.server, _Prometheus)
        self.server.asked.append("query")
        self.server.before("prometheus")
        known = [{"metric": {}, "value": [0, "288"]}] if "count_over_time%28max%28up" in query else []
        kind = "matrix" if self.path.endswith("query_range") else "vector"
        answer = {"status": "success", "data": {"resultType": kind, "result": known if kind == "vector" else []}}
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def post(folder: Path) -> Iterator[Post]:
    """Run both servers."""
    (folder / "password").write_text(f"{PASSWORD}\n")
    certificates.write_authority(folder / "authority.pem")
    script = SmtpScript(certificates.write_chain(folder / "chain.pem"), Answers())
    with script.running(), _Prometheus() as prometheus:
        thread = threading.Thread(target=prometheus.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield Post(folder, script, prometheus)
        finally:
            prometheus.shutdown()
            thread.join()
