"""Which kernel runs and which is installed, by the names of /boot and by Debian's packages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mailserver_exporter.sources import deb_version

# amd64, cloud-amd64, generic ...: a kernel of another kind is none that a reboot would start instead.
_FLAVOUR = re.compile(r"-([a-z][a-z0-9-]*)$")
# Debian writes the version of the package into uname -v: #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01).
_BUILD = re.compile(r" Debian (\S+)")


@dataclass(frozen=True)
class Kernels:
    """The running kernel and the newest installed one of its kind, as `uname -r` names them; ``outdated``: not it."""

    running: str
    newest: str
    outdated: bool


def compare(release: str, build: str, boot: Iterable[str], packages: Mapping[str, str]) -> Kernels:
    """Return what a reboot would change.

    ``release`` and ``build`` are of /proc/sys/kernel (osrelease, version), ``boot`` the names of the files in /boot,
    ``packages`` the versions of installed packages by name.
    """
    flavour = _flavour(release)
    names = [name.removeprefix("vmlinuz-") for name in boot if name.startswith("vmlinuz-")]
    names = [name for name in names if _flavour(name) == flavour]
    newest = max([release, *names], key=deb_version.key)
    if newest != release:
        return Kernels(release, newest, outdated=True)
    # The same name, built anew: a security update of Debian that keeps the interface.
    found = _BUILD.search(build)
    installed = packages.get(f"linux-image-{release}")
    rebuilt = bool(found and installed and deb_version.key(installed) > deb_version.key(found[1]))
    return Kernels(release, newest, outdated=rebuilt)


def _flavour(release: str) -> str:
    found = _FLAVOUR.search(release)
    return found[1] if found else ""
