"""Start real programs, wait until they are ready, read what they say, and leave none behind."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import requests


def free_port(host: str = "127.0.0.1") -> int:
    """Return a TCP port that nothing listens on right now.

    Not one of those that the kernel gives to outgoing connections, from 32768 on (ip_local_port_range in ip(7)): a
    server that is started again would find its port taken now and then.
    """
    while True:
        port = random.randrange(12_000, 32_000)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as listener, contextlib.suppress(OSError):
            listener.bind((host, port))
            return port


def wait_for(what: str, condition: Callable[[], object], seconds: float = 20, pause: float = 0.05) -> object:
    """Return the first true value of ``condition``; raises AssertionError that names ``what`` when none comes."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds:g} s still not: {what}")
        time.sleep(pause)


def answers(url: str) -> bool:
    """Say whether an HTTP GET is answered with a status below 400."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


class Program:
    """A program in a process group of its own, its output in a file; ends with the ``with`` block."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        *,
        ready: Callable[[], object] | None = None,
        seconds: float = 20,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        self.command = [str(part) for part in command]
        self.log = log
        self._ready = ready
        self._seconds = seconds
        self._environment = {**os.environ, **(environment or {})}
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; only while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> Program:
        """Start it and wait until it is ready; raises AssertionError with its output when it ends before."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,
            )
        if self._ready is not None:
            try:
                wait_for(f"{self.command[0]} is ready", self._ready_or_ended, self._seconds)
            except AssertionError:
                self.stop()
                raise
        return self

    def _ready_or_ended(self) -> object:
        assert self._process is not None
        assert self._ready is not None
        if self._process.poll() is not None:
            raise AssertionError(f"{self.command[0]} ended with {self._process.returncode}: {self.output()[-2000:]}")
        return self._ready()

    def running(self) -> bool:
        """Say whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        """Return all that it has written so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process alone."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 15) -> int | None:
        """End it and its children, by force when it does not go; return its exit status."""
        if self._process is None:
            return None
        self.send(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait(10)

    def __enter__(self) -> Program:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
