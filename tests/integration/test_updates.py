"""Updates beside the apt and the dpkg of a Debian of its own."""

from __future__ import annotations

import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver_exporter import errand
from mailserver_exporter.collectors.updates import UpdatesCollector
from mailserver_exporter.errands import updates
from mailserver_exporter.sources import SourceError, deb_version
from tests.support.contexts import context
from tests.support.debian_folder import BACKPORTS, EXPERIMENTAL, SECURITY, STABLE, DebianFolder
from tests.support.metrics import Exposition

# Name, installed version, then what each archive offers.
PACKAGES = (
    ("plain", "1.0-1", {"stable": "1.0-2"}),
    ("current", "1.0-1", {"stable": "1.0-1"}),
    ("hole", "1.0-1", {"stable": "1.0-1", "security": "1.0-1+deb12u1"}),
    ("later", "1.0-1", {"security": "1.0-1+deb12u1", "stable": "1.0-3"}),
    ("both", "1:2.0", {"security": "1:2.0+deb12u1", "stable": "1:2.0+deb12u1"}),
    ("kept", "1.0", {"security": "1.1"}),
    ("tilde", "2.0~rc1-1", {"stable": "2.0-1"}),
    ("older", "3.0", {"stable": "2.9"}),
    ("epoch", "1:1.0", {"stable": "9.0"}),
    ("ported", "1.0", {"stable": "1.0", "backports": "2.0~bpo12+1"}),
    ("portednow", "2.0~bpo12+1", {"stable": "1.0", "backports": "2.1~bpo12+1"}),
    ("brave", "1.0", {"stable": "1.0", "experimental": "5.0"}),
    ("pinned", "1.0", {"stable": "2.0", "backports": "3.0"}),
    ("refused", "1.0", {"stable": "2.0"}),
    ("pinnedversion", "1.0", {"stable": "3.0", "security": "2.0"}),
    ("alone", "1.0", {}),
)
ARCHIVES = {"stable": STABLE, "security": SECURITY, "backports": BACKPORTS, "experimental": EXPERIMENTAL}
PREFERENCES = """\
# What an admin writes.
Package: pinned
Pin: release a=stable-backports
Pin-Priority: 900

Package: refused nothing-else
Explanation: it broke once
Pin: release o=Debian,l=Debian
Pin-Priority: -1

Package: /^pinnedvers/
Pin: version 2.*
Pin-Priority: 700
"""


@pytest.fixture(scope="module")
def debian() -> Iterator[DebianFolder]:
    with DebianFolder() as folder:
        for name, version, offers in PACKAGES:
            folder.add("first", name, version, "all" if name == "plain" else "amd64")
            for suite, offered in offers.items():
                folder.add(suite, name, offered, "all" if name == "plain" else "amd64")
        files = [f"/repository/first/{path.name}" for path in sorted((folder.root / "repository/first").glob("*.deb"))]
        folder.run("dpkg", "--install", *files)
        for suite, fields in ARCHIVES.items():
            folder.publish(suite, fields)
        (folder.root / "etc/apt/preferences.d").mkdir(parents=True, exist_ok=True)
        (folder.root / "etc/apt/preferences.d/mine.pref").write_text(PREFERENCES)
        folder.run("apt-mark", "hold", "kept")
        folder.run("apt-get", "update")
        yield folder


def found(debian: DebianFolder) -> list[list[object]]:
    pending: list[list[object]] = updates.run({"rootfs": "/", "root": str(debian.root)})["updates"]
    return pending


def as_apt(pending: list[list[object]]) -> set[tuple[object, ...]]:
    return {(name, version, architecture) for name, architecture, version, *_ in pending}


def test_finds_what_apt_would_upgrade(debian: DebianFolder) -> None:
    pending = found(debian)

    assert as_apt(pending) == debian.upgradable()
    assert {name for name, *_ in pending} == {
        *("plain", "hole", "later", "both", "kept", "tilde", "portednow", "pinned", "pinnedversion"),
    }
    assert {name for name, _, _, _, security, _ in pending if security} == {
        "hole",
        "later",
        "both",
        "kept",
        "pinnedversion",
    }
    assert {name for name, *_, held in pending if held} == {"kept"}
    origins = {name: origin for name, _, _, origin, _, _ in pending}
    assert origins["both"] == "Debian:bookworm-security/stable-security,Debian:bookworm/stable"


def test_a_target_release_changes_what_is_taken_as_it_does_for_apt(debian: DebianFolder) -> None:
    configuration = debian.root / "etc/apt/apt.conf.d/99target"
    configuration.write_text('APT::Default-Release "stable-backports";\n')
    try:
        pending = found(debian)
        assert as_apt(pending) == debian.upgradable()
        assert "ported" in {name for name, *_ in pending}
    finally:
        configuration.unlink()


@pytest.mark.parametrize("kind", ["lz4", "gz", "xz", "bz2"])
def test_compressed_lists_are_read_as_well(debian: DebianFolder, kind: str) -> None:
    before = found(debian)
    lists = [path for path in (debian.root / "var/lib/apt/lists").iterdir() if path.name.endswith("_Packages")]
    program = {"lz4": ["lz4", "-q"], "gz": ["gzip"], "xz": ["xz"], "bz2": ["bzip2"]}[kind]
    for path in lists:
        with path.with_name(f"{path.name}.{kind}").open("wb") as target:
            subprocess.run([*program, "-c", path], stdout=target, check=True)
        path.rename(path.with_name(f"aside{path.name}.aside"))
    try:
        assert found(debian) == before

        [first, *_] = (path.with_name(f"{path.name}.{kind}") for path in lists if "security" in path.name)
        first.write_bytes(first.read_bytes()[:-7])
        with pytest.raises(SourceError, match=r"cannot be unpacked|ends early"):
            found(debian)
    finally:
        for path in lists:
            path.with_name(f"{path.name}.{kind}").unlink()
            path.with_name(f"aside{path.name}.aside").rename(path)


def test_lists_may_be_rewritten_while_they_are_read(debian: DebianFolder) -> None:
    before = found(debian)
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            for path in list((debian.root / "var/lib/apt/lists").iterdir()):
                if path.name.endswith("_Packages"):
                    data = path.read_bytes()
                    new = debian.root / "var/lib/apt/lists/partial" / path.name
                    new.write_bytes(data)
                    new.rename(path)

    thread = threading.Thread(target=rewrite)
    thread.start()
    try:
        for _ in range(30):
            assert found(debian) == before
    finally:
        stop.set()
        thread.join()


def test_is_measured_again_when_something_was_installed_and_not_before(debian: DebianFolder, tmp_path: Path) -> None:
    subject = UpdatesCollector(context(tmp_path, f"updates: {{root: {debian.root}}}"))
    subject.pause_seconds = 0  # type: ignore[misc]
    sent = []
    real = errand.send

    def send(name: str, request: object, seconds: float) -> object:
        sent.append(name)
        return real(name, request, seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errand, "send", send)
        first = Exposition.of(subject.collect())
        assert first.value("mailserver_updates_pending", **{"class": "security"}) == 4
        assert first.value("mailserver_updates_pending", **{"class": "held"}) == 1
        assert first.value("mailserver_updates_pending", **{"class": "other"}) == 4
        assert sum(s.value for s in first.all("apt_upgrades_pending")) == 9
        assert sum(s.value for s in first.all("apt_upgrades_held")) == 1
        assert abs(time.time() - first.value("apt_package_cache_timestamp_seconds")) < 600
        Exposition.of(subject.collect())
        assert sent == ["updates"]

        debian.run("dpkg", "--install", "/repository/security/hole_1.0-1+deb12u1_amd64.deb")
        # The first look sees that something changes, the second that it has come to rest.
        Exposition.of(subject.collect())
        later = Exposition.of(subject.collect())
        assert sent == ["updates", "updates"]
    assert later.value("mailserver_updates_pending", **{"class": "security"}) == 3
    assert as_apt(found(debian)) == debian.upgradable()


_COMPARE = """\
while read -r a b; do
    if dpkg --compare-versions "$a" lt "$b"; then echo lt
    elif dpkg --compare-versions "$a" eq "$b"; then echo eq
    else echo gt; fi
done
"""


def test_versions_are_compared_as_dpkg_does() -> None:
    random.seed(1)
    parts = [
        "0",
        "1",
        "10",
        "09",
        "00",
        "a",
        "z",
        "A",
        "~",
        "+",
        ".",
        "~~",
        "rc1",
        "deb12u1",
        "",
        "-1",
        "-0",
        "-",
        ":",
        "9" * 25,
    ]
    versions = [
        "0:0",
        "1.0",
        "1.0-0",
        "1.0-1",
        "1.0~",
        "1.0~-1",
        "2:1",
        "1.0+b1",
        "1.0-1~bpo12+1",
        "0",
        "00",
        "1a",
        "1a0",
    ]
    while len(versions) < 400:
        version = random.choice("0123456789") + "".join(random.choices(parts, k=random.randint(0, 6)))
        if not version.startswith(":") and version.count(":") <= 1 and not version.endswith((":", "-")):
            epoch, colon, rest = version.partition(":")
            if not colon or (epoch.isdecimal() and len(epoch) < 9 and rest[:1].isdigit()):
                versions.append(version)
    pairs = [tuple(random.choices(versions, k=2)) for _ in range(2000)]
    done = subprocess.run(
        ["sh", "-c", _COMPARE],
        input="".join(f"{a} {b}\n" for a, b in pairs),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    wrong = []
    for (a, b), theirs in zip(pairs, done.stdout.split(), strict=True):
        first, second = deb_version.key(a), deb_version.key(b)
        ours = "lt" if first < second else "eq" if first == second else "gt"
        if ours != theirs:
            wrong.append((a, theirs, b))
    assert wrong == []
