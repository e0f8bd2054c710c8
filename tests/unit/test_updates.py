"""Updates: what is read of apt's and dpkg's files, the kernel, and how long something has waited."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from mailserver_exporter import errand
from mailserver_exporter.collectors.updates import UpdatesCollector, Waiting
from mailserver_exporter.errands import updates
from mailserver_exporter.sources import SourceError, apt_lists, apt_policy, dpkg, kernels
from tests.support.contexts import context
from tests.support.metrics import Exposition

STATUS = """\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22

Package: tzdata
Status: hold ok installed
Architecture: all
Version: 2024a-0
Description: time zones
 Version: not this one

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0

Package: half
Status: install ok half-configured
Architecture: i386
Version: 2.0

Package: damaged
Status: install ok installed
"""


def test_what_is_installed_is_told_by_name_and_architecture() -> None:
    assert {key: (each.version, each.held) for key, each in dpkg.parse(STATUS.encode()).items()} == {
        ("dpkg", "amd64"): ("1.21.22", False),
        ("tzdata", "amd64"): ("2024a-0", True),
        ("half", "i386"): ("2.0", False),
    }


@pytest.mark.parametrize("data", [b"", b"\0" * 10_000, b"Package: a\n\n"])
def test_a_status_file_without_packages_is_told(data: bytes) -> None:
    with pytest.raises(SourceError, match="no installed package"):
        dpkg.parse(data)


UBUNTU = b"""\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

Origin: Ubuntu
Label: Ubuntu
Suite: noble-security
Version: 24.04
Codename: noble
Date: Wed, 18 Nov 2026 12:00:00 UTC
Architectures: amd64
Components: main
SHA256:
 0000 1 Label: nonsense
"""


def test_ubuntu_s_security_archive_is_known_by_its_suite() -> None:
    release = apt_lists.parse_release(UBUNTU, "security.ubuntu.com_ubuntu_dists_noble-security_InRelease")
    assert release.security
    assert (release.site, release.codename, release.dated) == ("security.ubuntu.com", "noble", 1795003200.0)


@pytest.mark.parametrize(
    "data", [b"", b"\xff" * 1000, b"Date: yesterday\n", b"Date: Wed, 18 Nov 999999 12:00:00 UTC\n"]
)
def test_a_release_file_that_says_nothing_is_an_archive_like_others(data: bytes) -> None:
    release = apt_lists.parse_release(data, "example.org_Release")
    assert (release.dated, release.security, release.not_automatic) == (0.0, False, False)


def test_a_list_belongs_to_the_archive_whose_name_it_begins_with(tmp_path: Path) -> None:
    for name in ("h_debian_dists_stable", "h_debian_dists_stable-updates", "h_flat"):
        (tmp_path / f"{name}_InRelease").write_text(f"Suite: {name}\n")
    names = (
        "h_debian_dists_stable_main_binary-amd64_Packages",
        "h_debian_dists_stable-updates_non-free-firmware_binary-amd64_Packages.lz4",
        "h_flat_Packages",
        "other.org_x_Packages.gz",
        "h_flat_Sources",
        "lock",
    )
    for name in names:
        (tmp_path / name).touch()

    found = {Path(each.path).name: (each.release.suite, each.component) for each in apt_lists.find(str(tmp_path))}

    assert found == {
        names[0]: ("h_debian_dists_stable", "main"),
        names[1]: ("h_debian_dists_stable-updates", "non-free-firmware"),
        names[2]: ("h_flat", ""),
        names[3]: ("", "other.org_x"),
    }


def test_offers_are_found_wherever_the_pieces_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(
        f"Package: p{number}\nArchitecture: amd64\nVersion: {number}.0\nFilename: x\n\n" for number in range(200)
    )
    path = tmp_path / "x_Packages"
    path.write_text(
        text + "Architecture: all\nPackage: last\nVersion: 1\nPhased-Update-Percentage: 40\n\nPackage: cut\nVers"
    )
    monkeypatch.setattr(apt_lists, "_PIECE", 37)

    found = list(apt_lists.offers(str(path), {b"p0", b"p199", b"last", b"cut"}))

    assert [(each.name, each.version, each.phased) for each in found] == [
        ("p0", "0.0", False),
        ("p199", "199.0", False),
        ("last", "1", True),
    ]


def test_what_is_no_list_is_told_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "x_Packages"
    path.write_bytes(b"x" * (3 << 20))
    with pytest.raises(SourceError, match="is no list of packages"):
        list(apt_lists.offers(str(path), {b"a"}))


def test_preferences_that_are_not_understood_are_passed_over() -> None:
    data = b"""\
Package: a
Pin: release a=x
Pin-Priority: high

Pin-Priority: 5

# A comment.
Package: *
Pin: origin "h"
Pin-Priority: -1"""
    assert list(apt_policy.parse_preferences(data)) == [apt_policy.Pin(("*",), "origin", '"h"', -1)]


BUILD = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)"


@pytest.mark.parametrize(
    ("release", "boot", "packages", "newest", "outdated"),
    [
        ("6.1.0-18-amd64", ["vmlinuz-6.1.0-18-amd64"], {}, "6.1.0-18-amd64", False),
        ("6.1.0-9-amd64", ["vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-18-amd64"], {}, "6.1.0-18-amd64", True),
        ("6.1.0-18-amd64", ["vmlinuz-6.1.0-30-cloud-amd64", "initrd.img-6.1.0-30-amd64"], {}, "6.1.0-18-amd64", False),
        ("6.1.0-18-amd64", [], {"linux-image-6.1.0-18-amd64": "6.1.82-1"}, "6.1.0-18-amd64", True),
        ("6.1.0-18-amd64", [], {"linux-image-6.1.0-18-amd64": "6.1.76-1"}, "6.1.0-18-amd64", False),
        ("6.18.44-fc-v669", ["vmlinuz-6.1.0-30-amd64"], {}, "6.18.44-fc-v669", False),
        ("5.15", ["vmlinuz-5.15.0-91-generic", "vmlinuz", "vmlinuz.old"], {}, "5.15", False),
    ],
)
def test_a_newer_kernel_of_the_same_kind_wants_a_reboot(
    release: str, boot: list[str], packages: dict[str, str], newest: str, outdated: bool
) -> None:
    assert kernels.compare(release, BUILD, boot, packages) == kernels.Kernels(release, newest, outdated)


def host(folder: Path, release: str = "6.1.0-18-amd64") -> Path:
    """Make a host with dpkg's and apt's files, and a kernel."""
    for path, content in {
        "var/lib/dpkg/status": STATUS,
        "var/lib/apt/lists/h_InRelease": "Label: Debian-Security\nOrigin: Debian\nSuite: s\n",
        "var/lib/apt/lists/h_Packages": "Package: dpkg\nArchitecture: amd64\nVersion: 1.22\n",
        "proc/sys/kernel/osrelease": f"{release}\n",
        "proc/sys/kernel/version": f"{BUILD}\n",
        "boot/vmlinuz-6.1.0-18-amd64": "",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return folder


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the errand here: what it costs to start a process is not the question."""

    def send(name: str, request: dict[str, str], seconds: float) -> dict[str, Any]:
        return updates.run(request)

    monkeypatch.setattr(errand, "send", send)


@pytest.mark.usefixtures("in_process")
def test_an_update_in_phases_waits_until_all_get_it(tmp_path: Path) -> None:
    root = host(tmp_path / "host")
    packages = root / "var/lib/apt/lists/h_Packages"
    packages.write_text(packages.read_text() + "Phased-Update-Percentage: 50\n")
    subject = UpdatesCollector(context(tmp_path / "state", f"state_directory: {tmp_path}/state", root))

    found = Exposition.of(subject.collect())

    assert found.value("mailserver_updates_pending", **{"class": "security"}) == 0
    assert found.value("apt_upgrades_pending", origin="", arch="") == 0


@pytest.mark.usefixtures("in_process")
def test_the_age_of_a_security_update_outlives_a_restart_and_ends_with_it(tmp_path: Path) -> None:
    root = host(tmp_path / "host")

    def collect() -> Exposition:
        given = context(tmp_path / "state", f"state_directory: {tmp_path}/state", root)
        return Exposition.of(UpdatesCollector(given).collect())

    assert collect().value("mailserver_security_update_age_seconds") < 5
    state = tmp_path / "state/security-updates.json"
    state.write_text(f'{{"dpkg:amd64": {time.time() - 7200}, "other:amd64": 5}}')
    assert 7200 <= collect().value("mailserver_security_update_age_seconds") < 7300
    (root / "var/lib/apt/lists/h_Packages").write_text("")
    assert collect().value("mailserver_security_update_age_seconds") == 0
    assert state.read_text() == "{}"


def test_a_damaged_memory_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "security-updates.json").write_text("[1")
    waiting = Waiting(context(tmp_path, f"state_directory: {tmp_path}"))
    assert waiting.oldest(["a"], 100.0) == 100.0
    assert "counts from now" in caplog.text


@pytest.mark.usefixtures("in_process")
def test_a_reboot_is_required_when_a_package_says_so_or_the_kernel_is_old(tmp_path: Path) -> None:
    root = host(tmp_path / "host")
    subject = UpdatesCollector(context(tmp_path / "state", f"state_directory: {tmp_path}/state", root))
    found = Exposition.of(subject.collect())
    assert found.value("node_reboot_required") == 0
    assert found.value("mailserver_reboot_required_age_seconds") == 0

    (root / "run").mkdir()
    (root / "var/run").symlink_to("/run")
    (root / "run/reboot-required").touch()
    os.utime(root / "run/reboot-required", (time.time() - 3600,) * 2)
    (root / "run/reboot-required.pkgs").write_text("libc6\nlibc6\n")
    found = Exposition.of(subject.collect())
    assert found.value("node_reboot_required") == 1
    assert 3600 <= found.value("mailserver_reboot_required_age_seconds") < 3700
    assert "a reboot is required: for libc6" in {finding.detail for finding in subject.findings()}

    (root / "run/reboot-required").unlink()
    (root / "boot/vmlinuz-6.1.0-30-amd64").touch()
    subject = UpdatesCollector(context(tmp_path / "state", f"state_directory: {tmp_path}/state", root))
    found = Exposition.of(subject.collect())
    assert found.value("node_reboot_required") == 1
    assert found.value("mailserver_kernel_info", running="6.1.0-18-amd64", installed="6.1.0-30-amd64") == 1


@pytest.mark.usefixtures("in_process")
def test_without_lists_nobody_knows_and_it_is_told(tmp_path: Path) -> None:
    root = host(tmp_path / "host")
    for file in (root / "var/lib/apt/lists").iterdir():
        file.unlink()
    subject = UpdatesCollector(context(tmp_path / "state", f"state_directory: {tmp_path}/state", root))
    found = Exposition.of(subject.collect())
    assert found.all("apt_package_cache_timestamp_seconds") == []
    [finding] = subject.findings()
    assert finding.remedy == "apt-get update"


def test_another_distribution_is_not_watched(tmp_path: Path) -> None:
    assert UpdatesCollector(context(tmp_path, "", tmp_path)).detect().detail == "no /var/lib/dpkg/status"
