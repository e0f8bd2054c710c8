"""The configuration file: what can be set, and what holds when nothing is.

Everything is optional. What is left out is detected or has the default written here. Secrets are never in the file
itself, only the path of a file that holds one (``*_file``).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Literal

from mailserver_exporter.schema import ConfigError, Number, Problem, Seconds, Text, read_file

__all__ = ["Config", "ConfigError", "Problem", "load"]

Port = Annotated[int, Number(1, 65535, whole=True)]
Ratio = Annotated[float, Number(0, 1)]
Count = Annotated[int, Number(0, whole=True)]
Amount = Annotated[float, Number(0)]
Duration = Annotated[float, Seconds()]
HostName = Annotated[str, Text(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?", "a host name or an IP address")]
Url = Annotated[str, Text(r"https?://[^\s]+", "a URL that begins with http:// or https://")]
Mode = Annotated[str, Text(r"[0-7]{3,4}", "an octal mode in quotes such as '0700'")]


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One limit per severity; None (``null`` in the file) switches that severity off."""

    info: Amount | None = None
    warning: Amount | None = None
    critical: Amount | None = None

    # Set where the smaller value is the worse one, as with the time that a certificate has left.
    falling = False

    def severities(self) -> Iterator[tuple[str, float]]:
        """Yield (severity, value) of those that are switched on, mildest first."""
        for severity in ("info", "warning", "critical"):
            value = getattr(self, severity)
            if value is not None:
                yield severity, value

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for severities in the wrong order."""
        order = list(self.severities())
        for (milder, low), (worse, high) in itertools.pairwise(order):
            if (high >= low) if self.falling else (high <= low):
                relation = "below" if self.falling else "above"
                yield worse, f"must be {relation} {milder} ({low:g}), not {high:g}"


@dataclass(frozen=True, kw_only=True)
class RatioLimit(Limit):
    """Limits of a ratio between 0 and 1."""

    info: Ratio | None = None
    warning: Ratio | None = None
    critical: Ratio | None = None


@dataclass(frozen=True, kw_only=True)
class DurationLimit(Limit):
    """Limits of a time, in seconds."""

    info: Duration | None = None
    warning: Duration | None = None
    critical: Duration | None = None


@dataclass(frozen=True, kw_only=True)
class RemainingLimit(DurationLimit):
    """Limits of a time that is left, in seconds: less is worse."""

    falling = True


@dataclass(frozen=True, kw_only=True)
class FilesystemLimit(RatioLimit):
    """Limits of used space, with overrides by mountpoint."""

    overrides: Mapping[str, RatioLimit] = field(default_factory=dict)

    def of(self, mountpoint: str) -> RatioLimit:
        """Return the limits that hold for one mountpoint."""
        return self.overrides.get(mountpoint, self)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every limit; each is exported as ``mailserver_threshold_*`` beside what it limits."""

    cpu_usage_ratio: RatioLimit = RatioLimit(warning=0.8, critical=0.9)
    memory_usage_ratio: RatioLimit = RatioLimit(warning=0.8, critical=0.9)
    filesystem_usage_ratio: FilesystemLimit = field(default=FilesystemLimit(warning=0.8, critical=0.9))
    load_per_core: Limit = Limit(info=1.0, critical=1.7)
    queue_messages: Limit = Limit(warning=10, critical=50)
    queue_oldest_message_age_seconds: DurationLimit = DurationLimit(warning=3600, critical=4 * 3600)
    certificate_remaining_seconds: RemainingLimit = RemainingLimit(warning=21 * 86400, critical=7 * 86400)


@dataclass(frozen=True, kw_only=True)
class Section:
    """Settings that every collector has: ``enabled`` overrules detection."""

    enabled: bool | None = None


@dataclass(frozen=True, kw_only=True)
class MailStack:
    """Which mail stack runs here; detected unless named."""

    kind: Literal["auto", "mailcow", "native", "none"] = "auto"
    directory: Path | None = None


@dataclass(frozen=True, kw_only=True)
class FilesystemSection(Section):
    """``mountpoints``, where given, is the whole list of what is watched and expected."""

    mountpoints: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ContainersSection(Section):
    """The Docker Engine, and compose projects whose directory their containers' labels do not tell."""

    socket: Path = Path("/var/run/docker.sock")
    project_directories: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class QueueSection(Section):
    """The Postfix queue directory, as the host sees it."""

    directory: Path | None = None


@dataclass(frozen=True, kw_only=True)
class PortTarget:
    """One port that must greet."""

    port: Port
    protocol: Literal["smtp", "imap", "pop3", "https", "http"]
    tls: Literal["none", "starttls", "implicit"] = "none"
    host: HostName = "127.0.0.1"
    path: Annotated[str, Text(r"/[^\s]*", "a path that begins with /")] = "/"

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for settings that do not go together."""
        if self.protocol in ("http", "https") and self.tls == "starttls":
            yield "tls", f"must not be starttls where the protocol is {self.protocol}"


@dataclass(frozen=True, kw_only=True)
class PortsSection(Section):
    """The ports that are watched; ``targets``, where given, is the whole list."""

    host: HostName = "127.0.0.1"
    webmail_port: Port | None = None
    targets: tuple[PortTarget, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fail2banSection(Section):
    """fail2ban's socket, and the jails that must exist whether seen before or not."""

    socket: Path = Path("/var/run/fail2ban/fail2ban.sock")
    jails: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class VmailSection(Section):
    """The mail store and whom its files must belong to: by default 5000 in mailcow, elsewhere its first seen owner."""

    directory: Path | None = None
    owner: Count | None = None
    group: Count | None = None
    mode: Mode | None = None


@dataclass(frozen=True, kw_only=True)
class Telegram:
    """A bot and the chat it writes to."""

    bot_token_file: Path
    chat_id: int
    api_url: Url = "https://api.telegram.org"


@dataclass(frozen=True, kw_only=True)
class Email:
    """An SMTP server that is not the one being watched, and whom to write to."""

    to: tuple[str, ...]
    sender: str
    smarthost: Annotated[str, Text(r"\S+:\d{1,5}", "HOST:PORT such as smtp.gmail.com:587")] = "smtp.gmail.com:587"
    username: str | None = None
    password_file: Path | None = None
    require_tls: bool = True
    ca_file: Path | None = None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (key, message) for settings that do not go together."""
        if not self.to:
            yield "to", "must name at least one address"
        for address in (*self.to, self.sender):
            if "@" not in address:
                yield "to" if address in self.to else "sender", f"must be an e-mail address, not {address!r}"
        if (self.username is None) != (self.password_file is None):
            yield "username", "and password_file must be given together"


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A URL that is called every minute as long as the whole alert path works (healthchecks.io and the like)."""

    url_file: Path


@dataclass(frozen=True, kw_only=True)
class Notifications:
    """How the admin is told."""

    throttle: Annotated[float, Seconds(minimum=1)] = 3600
    telegram: Telegram | None = None
    email: Email | None = None
    heartbeat: Heartbeat | None = None


@dataclass(frozen=True, kw_only=True)
class AlertLog:
    """The file that every notification is written to; rotated at ``max_bytes``, ``keep`` old ones are kept."""

    file: Path | None = None
    max_bytes: Annotated[int, Number(10_000, whole=True)] = 10_000_000
    keep: Annotated[int, Number(1, 100, whole=True)] = 5


def _state_directory() -> Path:
    """Where a service manager says that state belongs (systemd.exec(5), StateDirectory=), else the usual place."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(given or "/var/lib/mailserver-exporter")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file."""

    hostname: HostName | None = None
    state_directory: Path = field(default_factory=_state_directory)
    mail_stack: MailStack = MailStack()

    cpu: Section = Section()
    load: Section = Section()
    memory: Section = Section()
    filesystem: FilesystemSection = FilesystemSection()
    disk: Section = Section()
    network: Section = Section()
    temperature: Section = Section()
    processes: Section = Section()
    system: Section = Section()
    top: Section = Section()
    containers: ContainersSection = ContainersSection()
    queue: QueueSection = QueueSection()
    ports: PortsSection = PortsSection()
    fail2ban: Fail2banSection = Fail2banSection()
    vmail: VmailSection = VmailSection()

    limits: Limits = Limits()
    notifications: Notifications = Notifications()
    alert_log: AlertLog = AlertLog()

    @property
    def alert_log_file(self) -> Path:
        """Where alerts are logged: beside the state unless the file says otherwise."""
        return self.alert_log.file or self.state_directory / "alerts.jsonl"

    def switched_off(self) -> list[str]:
        """Name the limits that no alert of a usual severity can come from, as ``limits.NAME.SEVERITY``."""
        defaults = Limits()
        off = []
        for limit in fields(Limits):
            usual = {severity for severity, _ in getattr(defaults, limit.name).severities()}
            mine = {limit.name: getattr(self.limits, limit.name)}
            for key, override in getattr(mine[limit.name], "overrides", {}).items():
                mine[f"{limit.name}.overrides.{key}"] = override
            for name, each in mine.items():
                present = {severity for severity, _ in each.severities()}
                off += [f"limits.{name}.{severity}" for severity in sorted(usual - present)]
        return off


def load(path: Path | None) -> Config:
    """Return the configuration in ``path``, or the defaults where there is no path.

    Raises ConfigError with every problem in the file.
    """
    return Config() if path is None else read_file(path, Config())
