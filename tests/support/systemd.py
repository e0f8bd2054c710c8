"""A real systemd for the tests: a user's manager, which answers over D-Bus as that of a whole machine does.

It must never see the machine's own control groups: a manager takes over what it finds in the one it is started in. So
it gets one of its own, which is the root of all that it can see, as a container's is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from tests.support.processes import Program, wait_for

_MANAGER = "/lib/systemd/systemd"
# In namespaces of its own: the group first, then a view in which that group is the root, then the manager, which only
# starts where it believes that systemd runs the machine. Whatever of it fails, no manager is started.
_INSIDE = """\
set -eu
mount -t tmpfs none /run
mkdir -p /run/systemd/system
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
grep -qx 0::/ /proc/self/cgroup
test "$(grep -cvx $$ /sys/fs/cgroup/cgroup.procs)" -le 1
exec "$@"
"""
_OUTSIDE = (
    'set -eu; echo $$ > "$1/cgroup.procs"; script=$2; shift 2; exec unshare --cgroup --mount sh -c "$script" sh "$@"'
)


class Systemd:
    """A manager with the units of ``write``; ``socket`` is where it answers itself, as /run/systemd/private does."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mse-systemd-"))
        self.socket = self.folder / "run/systemd/private"
        # And where the bus is, once dbus.service runs: the same manager, as a whole machine shows it at the system bus.
        self.bus = self.folder / "run/bus"
        self._units = self.folder / "config/systemd/user"
        self._units.mkdir(parents=True)
        (self.folder / "run").mkdir(mode=0o700)
        self._group = _cgroup2() / self.folder.name
        self._environment = {
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "HOME": str(self.folder),
            # No units but ours, of this machine's none.
            "SYSTEMD_UNIT_PATH": f"{self._units}:/usr/lib/systemd/user",
        }
        self._program = Program(
            ["sh", "-c", _OUTSIDE, "sh", self._group, _INSIDE, _MANAGER, "--user", "--log-target=console"],
            self.folder / "systemd.log",
            ready=self._answers,
            environment=self._environment,
        )

    def write(self, name: str, content: str) -> None:
        """Write a unit file; ``systemctl("daemon-reload")`` makes a running manager see it."""
        (self._units / name).write_text(content)

    def systemctl(self, *arguments: str) -> str:
        """Run systemctl on this manager and return what it said, whether it succeeded or not."""
        done = subprocess.run(
            ["systemctl", "--user", *arguments],
            env={**os.environ, **self._environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout + done.stderr

    def _answers(self) -> bool:
        return self.socket.exists() and "default.target" in self.systemctl("list-units", "default.target")

    def pause(self, paused: bool) -> None:
        """Let the manager hang, or go on."""
        self._program.send(signal.SIGSTOP if paused else signal.SIGCONT)

    def __enter__(self) -> Systemd:
        self._group.mkdir()
        try:
            self._program.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._program.stop()
        self._remove()

    def _remove(self) -> None:
        """End what is left in the group, and remove it with all below it."""
        with contextlib.suppress(OSError):
            (self._group / "cgroup.kill").write_text("1")

        def gone() -> bool:
            for folder, _, _ in os.walk(self._group, topdown=False):
                with contextlib.suppress(OSError):
                    Path(folder).rmdir()
            return not self._group.exists()

        wait_for(f"{self._group} is removed", gone, 20)
        shutil.rmtree(self.folder, ignore_errors=True)


def _cgroup2() -> Path:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mountpoint, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(mountpoint)
    raise AssertionError("no cgroup2 is mounted")
