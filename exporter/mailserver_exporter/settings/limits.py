"""Limits: each is exported as ``mailserver_threshold_*`` beside what it limits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailserver_exporter.settings.types import Amount, Duration, Ratio


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
class LogSilenceLimit(DurationLimit):
    """Limits of the time since a program's last line, for those that always write; ``overrides`` for the others."""

    overrides: Mapping[str, DurationLimit] = field(default_factory=dict)

    def of(self, program: str) -> DurationLimit:
        """Return the limits that hold for one program."""
        return self.overrides.get(program, self if program in ("postfix", "dovecot") else DurationLimit())


@dataclass(frozen=True, kw_only=True)
class DovecotErrorsLimit(Limit):
    """Limits of Dovecot's errors, with overrides by their class; two classes have their own when nothing is said."""

    overrides: Mapping[str, Limit] = field(default_factory=dict)

    def of(self, name: str) -> Limit:
        """Return the limits that hold for one class."""
        # Without its users nobody gets mail; and what has run out of memory once will do so again.
        usual = {"auth_backend": Limit(warning=3, critical=30), "out_of_memory": Limit(warning=0)}
        return self.overrides.get(name, usual.get(name, self))


@dataclass(frozen=True, kw_only=True)
class FallingRatioLimit(RatioLimit):
    """Limits of a ratio of which less is worse."""

    falling = True


@dataclass(frozen=True, kw_only=True)
class BackupAgeLimit(DurationLimit):
    """Limits of a backup's age, with overrides by its name."""

    overrides: Mapping[str, DurationLimit] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BackupSizeLimit(FallingRatioLimit):
    """Limits of a backup's size against the usual one, with overrides by its name."""

    overrides: Mapping[str, FallingRatioLimit] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Every limit; each is exported as ``mailserver_threshold_*`` beside what it limits."""

    cpu_usage_ratio: RatioLimit = RatioLimit(warning=0.8, critical=0.9)
    memory_usage_ratio: RatioLimit = RatioLimit(warning=0.8, critical=0.9)
    filesystem_usage_ratio: FilesystemLimit = field(default=FilesystemLimit(warning=0.8, critical=0.9))
    load_per_core: Limit = Limit(info=1.0, critical=1.7)
    queue_messages: Limit = Limit(warning=10, critical=50)
    queue_oldest_message_age_seconds: DurationLimit = DurationLimit(warning=3600, critical=4 * 3600)
    roundtrip_duration_seconds: DurationLimit = DurationLimit(warning=30)
    # 6 and 14.4 times what 99 % would allow: a slow burn and a fast one.
    roundtrip_failed_ratio: RatioLimit = RatioLimit(warning=0.06, critical=0.144)
    certificate_remaining_seconds: RemainingLimit = RemainingLimit(warning=21 * 86400, critical=7 * 86400)
    bounced_ratio: RatioLimit = RatioLimit(warning=0.1, critical=0.5)
    deferred_ratio: RatioLimit = RatioLimit(warning=0.5)
    sasl_failures: Limit = Limit(warning=300)
    remote_rejections: Limit = Limit(warning=5, critical=50)
    sshd_failures: Limit = Limit(info=100, warning=500)
    dovecot_login_failures: Limit = Limit(warning=300)
    dovecot_errors: DovecotErrorsLimit = field(default=DovecotErrorsLimit(warning=10))
    sogo_login_failures: Limit = Limit(warning=100)
    mailcow_ui_login_failures: Limit = Limit(warning=30)
    log_silence_seconds: LogSilenceLimit = field(default=LogSilenceLimit(warning=6 * 3600))
    backup_age_seconds: BackupAgeLimit = field(default=BackupAgeLimit(warning=26 * 3600, critical=50 * 3600))
    backup_size_ratio: BackupSizeLimit = field(default=BackupSizeLimit(warning=0.5))
    backup_copy_age_seconds: BackupAgeLimit = field(default=BackupAgeLimit(warning=50 * 3600))
    backup_rehearsal_age_seconds: BackupAgeLimit = field(default=BackupAgeLimit(info=180 * 86400))
    clock_offset_seconds: DurationLimit = DurationLimit(warning=0.1)
    security_update_age_seconds: DurationLimit = DurationLimit(warning=2 * 86400)
    reboot_required_age_seconds: DurationLimit = DurationLimit(warning=3 * 86400)
    package_lists_age_seconds: DurationLimit = DurationLimit(info=7 * 86400)
    report_overdue_seconds: DurationLimit = DurationLimit(warning=3600)
    container_image_age_seconds: DurationLimit = DurationLimit(info=90 * 86400)
