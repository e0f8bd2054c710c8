"""A machine that has only Debian, Python, make and git: a folder to change the root to, with processes of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import debian_packages
from tests.support.tools import ROOT

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Where a tool on the bare machine finds what this machine trusts, if it trusts more than Debian does.
_BARE_CERTIFICATES = "/opt/certificates.crt"
_PACKAGES = "python3,make,git"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*")


def archive() -> Path:
    """Return a tar file of this machine's own Debian release, made when it is asked for first."""
    release = debian_packages.own_release()
    file = ROOT / ".cache" / f"bare-{release}.tar"
    file.parent.mkdir(exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            new = file.with_suffix(".new")
            without = [f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT]
            command = ["mmdebstrap", "--quiet", "--format=tar", "--variant=minbase", f"--include={_PACKAGES}", *without]
            subprocess.run([*command, release, new, debian_packages.mirror()], check=True)
            new.replace(file)
    return file


class BareMachine:
    """Such a machine with a user ``admin`` whose home holds ``project``, a copy of this project as git knows it."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mse-bare-"))

    def __enter__(self) -> BareMachine:
        subprocess.run(["tar", "--extract", "--file", archive(), "--directory", self.root], check=True)
        self.root.chmod(0o755)
        for name in ("/etc/resolv.conf", "/etc/hosts"):
            shutil.copy(name, self.root / name[1:])
        if CERTIFICATES.exists():
            shutil.copy(CERTIFICATES, self.root / _BARE_CERTIFICATES[1:])
        self.run(["useradd", "--create-home", "admin"])
        self.add_project("home/admin/project", "admin")
        return self

    def add_project(self, folder: str, owner: str) -> Path:
        """Copy what git would: files that are committed or could be."""
        target = self.root / folder
        target.mkdir(parents=True)
        names = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True,
            capture_output=True,
        ).stdout
        for name in filter(None, names.decode().split("\0")):
            if (ROOT / name).exists():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target / name)
        self.run(["chown", "--recursive", f"{owner}:", f"/{folder}"])
        return target

    def command(self, user: str, folder: str, *command: str) -> list[str]:
        """Return the command that runs ``command`` there, as ``user`` in ``folder``; it ends with that process."""
        mounts = f"mount -t proc proc {self.root}/proc; mount --rbind /dev {self.root}/dev"
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", f'{mounts}; exec "$@"', "sh"]
        chroot = ["chroot", f"--userspec={user}", str(self.root), "env", "--ignore-environment", f"--chdir={folder}"]
        return [*unshare, *chroot, *self._environment(), *command]

    def run(self, command: Sequence[str]) -> str:
        """Run a command as root and return its output; raises CalledProcessError."""
        done = subprocess.run(self.command("root", "/", *command), check=True, capture_output=True, text=True)
        return done.stdout

    def _environment(self) -> Iterator[str]:
        variables: Mapping[str, str] = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
        }
        yield from (f"{name}={value}" for name, value in variables.items())
        if CERTIFICATES.exists():
            yield f"PIP_CERT={_BARE_CERTIFICATES}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.root)
