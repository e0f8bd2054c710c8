"""Let a program of an unpacked Debian package find its files where they were unpacked.

Debian's Prometheus and Alertmanager have the path of their templates and pages compiled in, and Alertmanager does not
start without its default.tmpl. The path is replaced by one of the same length below /proc/self/fd (proc_pid_fd(5)),
and a script of the program's name opens the folder of the files as that descriptor. So nothing is written outside
the folder, it may be moved, no root is needed, and the working directory stays what it was.
"""

from __future__ import annotations

from pathlib import Path

COMPILED_IN = b"/usr/share/prometheus"
DESCRIPTOR = 7
PROGRAMS = ("usr/bin/prometheus", "usr/bin/prometheus-alertmanager")
MOVED_TO = "usr/libexec/relocated"

_SCRIPT = f"""\
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/../..
exec "$root/{MOVED_TO}/$(basename "$0")" "$@" {DESCRIPTOR}<"$root{COMPILED_IN.decode()}"
"""


def relocate(root: Path) -> None:
    """Do so for the programs below ``root`` that need it and are there; what is done is not done again."""
    replacement = f"/proc/self/fd/{DESCRIPTOR}".encode().ljust(len(COMPILED_IN), b"/")
    for program in (root / name for name in PROGRAMS):
        if not program.exists():
            continue
        content = program.read_bytes()
        if COMPILED_IN not in content or content.startswith(b"#!"):
            continue
        moved = root / MOVED_TO / program.name
        moved.parent.mkdir(parents=True, exist_ok=True)
        _replace(moved, content.replace(COMPILED_IN, replacement))
        _replace(program, _SCRIPT.encode())


def _replace(file: Path, content: bytes) -> None:
    """Write an executable without touching the old one, which may be running."""
    new = file.with_name(f".{file.name}.new")
    new.write_bytes(content)
    new.chmod(0o755)
    new.replace(file)
