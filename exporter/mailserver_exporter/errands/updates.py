"""Compare what is installed with what apt's lists offer: 50 MB and more to look through, so not in the exporter itself.

Reads what apt and dpkg have written and runs neither.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError, apt_lists, apt_policy, deb_version, dpkg, files, kernels
from mailserver_exporter.sources.apt_lists import Offer, PackageList
from mailserver_exporter.sources.apt_policy import Policy, Version
from mailserver_exporter.sources.dpkg import Installed

_STATUS_BYTES = 64 << 20
# apt replaces lists one after the other; what vanishes under our hands is read anew.
_ATTEMPTS = 3

Packages = dict[tuple[str, str], Installed]
Offered = dict[tuple[str, str], list[tuple[Offer, PackageList]]]


def run(request: dict[str, str]) -> dict[str, Any]:
    """Return pending updates and the state of the kernel.

    The request names ``rootfs``, where the host is seen, and ``root``, where the Debian system is below it. Each update
    is name, architecture, version, origin, whether it is a security update, whether it is held.
    """
    host, root = Host(request["rootfs"]), request["root"].rstrip("/")
    packages = dpkg.parse(files.read(host.path(f"{root}/var/lib/dpkg/status"), _STATUS_BYTES))
    lists, offered = _offered(host.path(f"{root}/var/lib/apt/lists"), packages)
    updates = list(_updates(packages, offered, _policy(host, root)))
    return {
        "lists": len(lists),
        "dated": max((each.release.dated for each in lists), default=0.0),
        "updates": updates,
        "kernel": _kernel(host, root, packages),
    }


def _offered(directory: str, packages: Packages) -> tuple[list[PackageList], Offered]:
    for attempt in range(_ATTEMPTS):
        try:
            lists = apt_lists.find(directory)
            return lists, _look_through(lists, packages)
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _look_through(lists: Iterable[PackageList], packages: Packages) -> Offered:
    wanted = frozenset(name.encode() for name, _ in packages)
    own = next((architecture for name, architecture in packages if name == "dpkg"), "")
    offered: Offered = defaultdict(list)
    for each in lists:
        for offer in apt_lists.offers(each.path, wanted):
            key = offer.name, own if offer.architecture == "all" else offer.architecture
            installed = packages.get(key)
            # Older ones matter only where a pin asks for them, which is no update; keeping them would be most of all.
            if installed and deb_version.key(offer.version) >= deb_version.key(installed.version):
                offered[key].append((offer, each))
    return offered


def _updates(packages: Packages, offered: Offered, policy: Policy) -> Iterator[list[Any]]:
    for key, offers in sorted(offered.items()):
        installed = packages[key]
        versions: dict[str, Version] = {}
        versions[installed.version] = Version(installed.version, installed=True)
        for offer, source in offers:
            # An update that is given out in phases comes to this machine when it has come to all.
            if not offer.phased:
                versions.setdefault(offer.version, Version(offer.version)).sources.append(source)
        candidate = policy.candidate(installed.name, versions.values())
        if candidate is None or candidate.installed:
            continue
        # A hole that an update mends is mended by each later one, too, wherever that comes from.
        newer = [each for each in versions.values() if not each.installed]
        upto = deb_version.key(candidate.version)
        security = any(
            source.release.security
            for each in newer
            if deb_version.key(each.version) <= upto
            for source in each.sources
        )
        architecture = next(offer.architecture for offer, _ in offers if offer.version == candidate.version)
        yield [installed.name, architecture, candidate.version, _origin(candidate), security, installed.held]


def _origin(version: Version) -> str:
    """Return where a version comes from, as the apt_info script of node_exporter's community writes it."""
    releases = {source.release for source in version.sources}
    return ",".join(sorted({f"{each.origin}:{each.codename}/{each.suite}" for each in releases}))


def _policy(host: Host, root: str) -> Policy:
    preferences = [
        pin
        for path in _parts(host, f"{root}/etc/apt/preferences", ("", ".pref"))
        for pin in apt_policy.parse_preferences(files.read(path))
    ]
    target = ""
    for path in _parts(host, f"{root}/etc/apt/apt.conf", ("", ".conf")):
        target = apt_policy.target_release(files.read(path)) or target
    return Policy(preferences, target)


def _parts(host: Host, path: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Yield a file and those of its directory ``.d``, in apt's order, where they are."""
    if os.path.isfile(host.path(path)):
        yield host.path(path)
    directory = host.path(f"{path}.d")
    names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
    for name in names:
        if os.path.splitext(name)[1] in suffixes and not name.startswith("."):
            yield host.path(f"{path}.d/{name}")


def _kernel(host: Host, root: str, packages: Packages) -> dict[str, Any]:
    boot = host.path(f"{root}/boot")
    names = os.listdir(boot) if os.path.isdir(boot) else []
    try:
        release, build = (
            files.read(host.proc(f"sys/kernel/{name}")).decode().strip() for name in ("osrelease", "version")
        )
    except UnicodeDecodeError as error:
        raise SourceError("the kernel's version is no text") from error
    versions = {each.name: each.version for each in packages.values()}
    found = kernels.compare(release, build, names, versions)
    since = 0.0
    if found.outdated:
        try:
            since = os.stat(f"{boot}/vmlinuz-{found.newest}").st_ctime
        except FileNotFoundError:
            since = os.stat(host.path(f"{root}/var/lib/dpkg/status")).st_mtime
    return {"running": found.running, "newest": found.newest, "outdated": found.outdated, "since": since}
