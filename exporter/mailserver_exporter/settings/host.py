"""The host itself: its filesystems, its processes, its containers, its fail2ban."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mailserver_exporter.settings.types import Section


@dataclass(frozen=True, kw_only=True)
class FilesystemSection(Section):
    """``mountpoints``, where given, is the whole list of what is watched and expected."""

    mountpoints: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProcessesSection(Section):
    """Containers that ``reap-zombies`` never restarts, as patterns of container and service names.

    By default those that hold state which a sudden end harms or loses: databases, the mail store, the mail queue,
    the bans of mailcow's netfilter, and containers that are a whole mail server.
    """

    protected_containers: tuple[str, ...] = (
        *("*mysql*", "*mariadb*", "*postgres*", "*redis*", "*valkey*"),
        *("*dovecot*", "*postfix*", "*netfilter*", "*mailserver*"),
    )


@dataclass(frozen=True, kw_only=True)
class ContainersSection(Section):
    """The Docker Engine, and compose projects whose directory their containers' labels do not tell."""

    socket: Path = Path("/var/run/docker.sock")
    project_directories: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fail2banSection(Section):
    """fail2ban's socket, and the jails that must exist whether seen before or not."""

    socket: Path = Path("/var/run/fail2ban/fail2ban.sock")
    jails: tuple[str, ...] = ()
