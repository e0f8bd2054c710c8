"""Where the host is seen from."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mailserver_exporter.host import Host


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """Return a host's root with /run, /var/run -> /run and /srv."""
    for folder in ("run/fail2ban", "var", "srv/data/vmail", "etc"):
        (tmp_path / "host" / folder).mkdir(parents=True)
    (tmp_path / "host/var/run").symlink_to("/run")
    return tmp_path / "host"


def seen(rootfs: Path, path: str) -> str:
    """Return where Host sees a path, as a path of the host."""
    found = Host(str(rootfs)).path(path)
    assert found.startswith(str(rootfs))
    return found[len(str(rootfs)) :]


def test_a_process_on_the_host_sees_paths_as_they_are() -> None:
    host = Host("/")
    assert not host.in_container
    assert host.path("/var/run/docker.sock") == "/var/run/docker.sock"
    assert host.path(Path("/etc/passwd")) == "/etc/passwd"
    assert host.proc("1/stat") == "/proc/1/stat"
    assert host.sys("class/net") == "/sys/class/net"


@pytest.mark.parametrize("name", ["/host", "/host/"])
def test_a_container_sees_the_host_below_its_mount(name: str) -> None:
    host = Host(name)
    assert host.in_container
    assert host.path("/etc/passwd") == "/host/etc/passwd"
    assert host.proc("1/stat") == "/host/proc/1/stat"
    assert host.sys("class/net") == "/host/sys/class/net"


def test_follows_an_absolute_link_within_the_host(rootfs: Path) -> None:
    assert seen(rootfs, "/var/run/fail2ban/fail2ban.sock") == "/run/fail2ban/fail2ban.sock"


def test_follows_a_relative_link_from_where_it_is(rootfs: Path) -> None:
    (rootfs / "var/lock").symlink_to("../run/lock")
    assert seen(rootfs, "/var/lock/x") == "/run/lock/x"


def test_follows_a_link_at_the_end_and_links_that_lead_to_links(rootfs: Path) -> None:
    (rootfs / "srv/vmail").symlink_to("/srv/second")
    (rootfs / "srv/second").symlink_to("data/vmail")
    assert seen(rootfs, "/srv/vmail") == "/srv/data/vmail"
    assert os.path.isdir(Host(str(rootfs)).path("/srv/vmail"))


@pytest.mark.parametrize(
    "target", ["/etc/shadow", "../../../../etc/shadow", "/../../etc/shadow", "/srv/../../etc/shadow"]
)
def test_no_link_leads_out_of_the_host(rootfs: Path, target: str) -> None:
    (rootfs / "srv/trap").symlink_to(target)
    assert seen(rootfs, "/srv/trap") == "/etc/shadow"


def test_dots_end_at_the_root(rootfs: Path) -> None:
    assert seen(rootfs, "/../../etc/./passwd") == "/etc/passwd"
    assert seen(rootfs, "/srv/data/../..") == "/"
    assert seen(rootfs, "/") == "/"


def test_dots_after_a_link_are_those_of_its_target(rootfs: Path) -> None:
    (rootfs / "srv/vmail").symlink_to("/srv/data/vmail")
    assert seen(rootfs, "/srv/vmail/..") == "/srv/data"


def test_superfluous_slashes_do_not_matter(rootfs: Path) -> None:
    assert seen(rootfs, "//var//run///docker.sock/") == "/run/docker.sock"


def test_a_loop_of_links_ends(rootfs: Path) -> None:
    (rootfs / "srv/a").symlink_to("b")
    (rootfs / "srv/b").symlink_to("a")
    (rootfs / "srv/self").symlink_to("self/x")

    for name in ("a/x", "self"):
        found = Host(str(rootfs)).path(f"/srv/{name}")
        assert found.startswith(str(rootfs) + "/")
        with pytest.raises(OSError):
            os.stat(found)


def test_a_path_need_not_exist(rootfs: Path) -> None:
    assert seen(rootfs, "/var/spool/postfix/public/showq") == "/var/spool/postfix/public/showq"


def test_the_name_of_the_host_is_not_that_of_the_container(rootfs: Path) -> None:
    (rootfs / "etc/hostname").write_text("mail.example.org\n")
    assert Host(str(rootfs)).hostname() == "mail.example.org"
    assert Host("/").hostname() == socket.gethostname()


def test_a_host_without_a_name_has_the_kernels(rootfs: Path) -> None:
    assert Host(str(rootfs)).hostname() == socket.gethostname()
    (rootfs / "etc/hostname").write_text("\n")
    assert Host(str(rootfs)).hostname() == socket.gethostname()


def test_a_hosts_name_may_be_anything_but_long(rootfs: Path) -> None:
    (rootfs / "etc/hostname").write_bytes(b"\xff" * 100_000)
    assert Host(str(rootfs)).hostname() == "\ufffd" * 256
