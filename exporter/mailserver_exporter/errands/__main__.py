"""The process of an errand: reads a request from standard input, writes the answer to standard output."""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import resource
import signal
import sys
import threading

from mailserver_exporter.sources import SourceError

_MEMORY_BYTES = 512 << 20
_STACK_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_M_ARENA_MAX = -8


def _be_modest() -> None:
    """Give way to everybody else, take no more memory than a small host can spare, and end with the exporter."""
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    library = ctypes.CDLL(None, use_errno=True)
    # prctl(2): without it an errand would outlive an exporter that was killed.
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # mallopt(3), which only glibc has: each further arena would take 64 MiB of the address space, and each thread one.
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)
    threading.stack_size(_STACK_BYTES)


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
