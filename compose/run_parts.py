"""The programs that `make run` starts: one process each, its output in a log file, none outliving us."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)
_LAST_BYTES = 8000

# Nothing that is asked here is anywhere but on this host, whatever http_proxy says.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, timeout: float = 2) -> bytes:
    """Return the body of an answer with status 200; raises OSError."""
    with _opener.open(url, timeout=timeout) as answer:
        body: bytes = answer.read()
        return body


class PartError(Exception):
    """A part does not run; the message says which and why."""


class WrongUseError(Exception):
    """What was asked for cannot be; the message says what can."""


@dataclass
class Part:
    """A server on 127.0.0.1 with Prometheus' own readiness page, ``/-/ready``."""

    title: str
    command: Sequence[str]
    port: int
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches only us; raises OSError."""
        libc = ctypes.CDLL(None)

        def die_with_us() -> None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
                preexec_fn=die_with_us,  # noqa: PLW1509 - there are no threads here
            )

    def ended(self) -> bool:
        """Say whether it was started and is gone."""
        return self.process is not None and self.process.poll() is not None

    def ready(self) -> bool:
        """Say whether it says so."""
        try:
            get(self.url + "-/ready")
        except OSError:
            return False
        return True

    def how_it_ended(self) -> str:
        """Tell the exit status and the last lines of its log."""
        status = self.process.returncode if self.process else 0
        how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _LAST_BYTES))
            lines = log.read().decode(errors="replace").splitlines()[-10:]
        return "\n".join([f"{self.title} ended {how}; the end of {self.log}:", *(f"  {line}" for line in lines)])

    def stop(self, seconds: float = 10) -> None:
        """End it, by force when it does not go by itself."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
