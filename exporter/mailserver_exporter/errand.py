"""Send somebody out for what is heavy and rare: a process of its own, whose memory is gone when it has ended.

An errand is a module of ``errands/`` with a function ``run(request)``. Request and answer are what JSON can hold, and
travel over pipes: the arguments of a process are for everybody to read. Secrets go as the paths of their files.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

from mailserver_exporter.sources import SourceError


class OverdueError(SourceError):
    """An errand that did not come back in time."""


def send(name: str, request: object, seconds: float) -> Any:
    """Run errand ``name`` with ``request`` and return its answer; it is killed after ``seconds``.

    Raises OverdueError then, and SourceError with the errand's own reason where it gives one, else with how it ended.
    """
    command = [sys.executable, "-I", "-m", "mailserver_exporter.errands", name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            answer, complaint = process.communicate(json.dumps(request).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise OverdueError(f"{name}: not done after {seconds:g} s, given up") from None
        except BaseException:
            process.kill()
            raise
    if process.returncode == -signal.SIGKILL:
        raise SourceError(
            f"{name}: the process was killed, probably for want of memory", remedy="free -m; dmesg | tail"
        )
    if process.returncode:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
        raise SourceError(f"{name}: the process ended with status {process.returncode}: {last or 'it said nothing'}")
    try:
        reply = json.loads(answer)
    except ValueError as error:
        raise SourceError(f"{name}: the process ended without an answer") from error
    if "error" in reply:
        raise SourceError(reply["error"], remedy=reply["remedy"])
    return reply["answer"]
