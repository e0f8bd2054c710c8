"""The process of an errand: reads a request from standard input, writes the answer to standard output."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence

from mailserver_exporter.sources import SourceError

_MEMORY_BYTES = 512 << 20
# Where a container sees the limit of its own control group; on a host the first is missing and the second endless.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
# Of that limit the exporter itself takes 40 MiB; and no errand can do with less than the other.
_EXPORTER_BYTES, _LEAST_BYTES = 48 << 20, 32 << 20
_STACK_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8


def _be_modest() -> None:
    """Give way to everybody else, take no more memory than a small host can spare, and end with the exporter."""
    os.nice(10)
    # proc(5): where memory runs out all the same, let this die and not the exporter, which is in the same container.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    data = data_bytes()
    resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    library = ctypes.CDLL(None, use_errno=True)
    # prctl(2): without it an errand would outlive an exporter that was killed.
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # mallopt(3), which only glibc has: each further arena would take 64 MiB of the address space, and each thread one.
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)
    threading.stack_size(_STACK_BYTES)


def data_bytes(files: Sequence[str] = _LIMITS) -> int:
    """Return how much memory of its own an errand may have: what the container's limit leaves beside the exporter."""
    for name in files:
        with contextlib.suppress(OSError, ValueError), open(name, encoding="ascii") as file:
            # "max" is no number, and no limit.
            return min(_MEMORY_BYTES, max(_LEAST_BYTES, int(file.read(32)) - _EXPORTER_BYTES))
    return _MEMORY_BYTES


def main() -> None:
    """Run the errand that the first argument names."""
    _be_modest()
    errand = importlib.import_module(f"mailserver_exporter.errands.{sys.argv[1]}")
    try:
        reply = {"answer": errand.run(json.load(sys.stdin))}
    except SourceError as error:
        reply = {"error": str(error), "remedy": error.remedy}
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
