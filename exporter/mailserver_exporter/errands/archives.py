"""Read the archives of one backup to their end, when nobody else wants the disk or the CPU.

Request: ``{"paths": [...], "seconds": 3600, "lock": FILE, "rootfs": "/host"}``. The host is seen at ``rootfs``, and its
zstd serves where there is none here. Answer: ``{"result": "good", "detail": "3 archives"}``. The result is ``good``,
``broken``, ``unfinished`` (the time was up), ``impossible`` (there is nothing to read here, or no program for it) or
``busy`` (another check is under way).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import shutil
import stat
import time
from collections.abc import Iterator
from typing import Any

from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError, backup_names, host_program
from mailserver_exporter.sources.archive import BrokenError, ImpossibleError, UnfinishedError, check, in_time

_MAX_FILES = 100_000
_MAX_DEPTH = 8
# ioprio_set(2): no wrapper in the C library, so its number, which each architecture has of its own.
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "armv7l": 314, "riscv64": 30, "ppc64le": 273, "s390x": 282}
_IOPRIO_WHO_PROCESS, _IOPRIO_CLASS_IDLE, _IOPRIO_CLASS_SHIFT = 1, 3, 13


def run(request: dict[str, Any]) -> dict[str, str]:
    """Check every archive of the backup; ``busy`` when another check is under way."""
    give_way()
    with open(request["lock"], "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return {"result": "busy", "detail": "archives of another backup are being read"}
        zstd = _zstd(Host(request.get("rootfs", "/")))
        return _verdict(request["paths"], time.monotonic() + request["seconds"], zstd)


def _zstd(host: Host) -> list[str]:
    """Return how to call zstd, or nothing where there is none."""
    if host.in_container and shutil.which("zstd") is None:
        with contextlib.suppress(SourceError, OSError):
            return host_program.command(host, "/usr/bin/zstd")
    return ["zstd"]


def give_way() -> None:
    """Use the disk only when it is idle, and the CPU only when nobody else wants it."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        idle = _IOPRIO_CLASS_IDLE << _IOPRIO_CLASS_SHIFT
        ctypes.CDLL(None, use_errno=True).syscall(number, _IOPRIO_WHO_PROCESS, 0, idle)


def _verdict(paths: list[str], deadline: float, zstd: list[str]) -> dict[str, str]:
    read = 0
    impossible = ""
    path = ""
    try:
        for path in _archives(paths):
            in_time(deadline)
            try:
                check(path, deadline, zstd)
                read += 1
            except ImpossibleError as error:
                impossible = impossible or f"{os.path.basename(path)}: {error}"
    except BrokenError as error:
        return _answer("broken", f"{os.path.basename(path)}: {error}")
    except UnfinishedError:
        return _answer("unfinished", f"the time was up in {os.path.basename(path)}, after {read} archives")
    except FileNotFoundError:
        # Removed while it was read: that says nothing about what it was.
        return _answer("unfinished", f"{os.path.basename(path)} is gone")
    except OSError as error:
        result = "impossible" if isinstance(error, PermissionError) else "broken"
        return _answer(result, f"{os.path.basename(error.filename or path)}: {error.strerror or error}")
    if impossible or not read:
        return _answer("impossible", impossible or "there is no archive in it")
    return _answer("good", f"{read} {'archive' if read == 1 else 'archives'}")


def _answer(result: str, detail: str) -> dict[str, str]:
    # A file's name need not be text.
    return {"result": result, "detail": os.fsencode(detail).decode(errors="replace")[:300]}


def _archives(paths: list[str]) -> Iterator[str]:
    seen = 0
    todo = [(path, 0) for path in reversed(paths)]
    while todo:
        path, depth = todo.pop()
        mode = os.lstat(path).st_mode
        if stat.S_ISREG(mode) and backup_names.is_archive(path):
            yield path
        elif stat.S_ISDIR(mode) and depth < _MAX_DEPTH:
            for name in sorted(os.listdir(path), reverse=True):
                seen += 1
                if seen > _MAX_FILES:
                    raise UnfinishedError
                todo.append((f"{path}/{name}", depth + 1))
