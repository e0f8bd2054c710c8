"""The machine whose two weeks tests/support/history.py records: a Debian with two cores and mailcow's containers.

Each night is quiet, each weekend quieter. The last day depends on the scenario, the thirteen before it do not.
"""

# ruff: noqa: E731 - a value over time is an expression; a name tells what it is

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mailserver_exporter.sources import docker_engine
from tests.support.history_series import DAY, END, HOUR, MINUTE, NEVER, Recorder, Span

INSTANCE, DOMAIN = "mail.example.org", "example.org"
JOB = "mailserver-exporter"
GIB, MIB = 2**30, 2**20
SCENARIOS = ("good", "bad", "first_day", "gaps")

START = END - DAY
"""When the day begins that is told of: 02:00 in Berlin."""
FIRST_MINUTES = 20

# What went wrong on the bad day.
OUTAGE = Span(START + 7 * HOUR, START + 7 * HOUR + 12 * MINUTE)
QUEUE_JAM = Span(START + 12 * HOUR, START + 14 * HOUR)
MEMORY_FULL = Span(START + 10 * HOUR, START + 11 * HOUR)
ATTACK = Span(START + 18 * HOUR, START + 20 * HOUR)
LISTED = Span(START + 16 * HOUR, END + 1)
DISK_FULL = Span(START + 15 * HOUR, END + 1)
OOM = START + 10 * HOUR + 30 * MINUTE
# The day with gaps: the host was down, and later Prometheus.
DOWN = Span(START + 6 * HOUR, START + 9 * HOUR)
BLIND = Span(START + 14 * HOUR, START + 16 * HOUR)
# The exporter was started anew: its counters began at 0.
RESTARTED = START + 16 * HOUR

PORTS = {
    "127.0.0.1:25": "smtp_starttls",
    "127.0.0.1:465": "smtp_tls",
    "127.0.0.1:587": "smtp_starttls",
    "127.0.0.1:993": "imap_tls",
    "127.0.0.1:4190": "sieve_starttls",
    "127.0.0.1:8443": "https",
}
OUT = ("127.0.0.1:25", "127.0.0.1:465", "127.0.0.1:587")
CONTAINERS = {
    "postfix": 90,
    "dovecot": 240,
    "rspamd": 310,
    "clamd": 1400,
    "sogo": 420,
    "mysql": 380,
    "redis": 45,
    "nginx": 30,
}
MOUNTS = {"/": (40, 0.46, "/dev/sda1"), "/var/vmail": (200, 0.71, "/dev/sdb1"), "/boot": (1, 0.31, "/dev/sda2")}
JAILS = {"sshd": 0.9, "postfix": 0.35, "dovecot": 0.2, "recidive": 0.04}
UNITS = ("docker.service", "fail2ban.service", "ssh.service", "cron.service", "certbot.timer")


@dataclass(frozen=True)
class Host:
    """The host of one scenario, and what differs in it."""

    scenario: str
    recorder: Recorder

    @property
    def bad(self) -> bool:
        """Whether it is the bad day."""
        return self.scenario == "bad"

    def when(self, span: Span, then: float, other: float = 0.0) -> Callable[[float], float]:
        """Return a value that is ``then`` in a span of the bad day, and else ``other``."""
        return lambda at: then if self.bad and at in span else other


@cache
def busy(at: float) -> float:
    """Return how busy people are, 0 at night to 1 at ten and at three; half of it on weekends."""
    hour = (at + HOUR) % DAY / HOUR
    weekend = (at + HOUR) // DAY % 7 in (2, 3)
    bumps = math.exp(-(((hour - 10) / 2.5) ** 2)) + 0.9 * math.exp(-(((hour - 15) / 2.5) ** 2))
    return min(1.0, 0.05 + bumps) * (0.5 if weekend else 1.0)


def wavering(seed: str, size: float = 0.1) -> Callable[[float], float]:
    """Return a factor around 1 that is another one each minute and always the same at the same time."""
    return lambda at: 1 + size * (zlib.crc32(f"{seed}{at // MINUTE}".encode()) / 2**31 - 1)


def machine(host: Host) -> None:
    """CPU, memory, load, pressure, time and the kernel."""
    record, waver = host.recorder, wavering("cpu", 0.15)
    boot = DOWN.end if host.scenario == "gaps" else END - 40 * DAY

    def used(at: float) -> float:
        return (0.06 + 0.4 * busy(at) + host.when(QUEUE_JAM, 0.15)(at)) * waver(at)

    record.gauge("up", lambda at: float(at not in record.down), always=True)
    for cpu in ("0", "1"):
        for mode, share in {"user": 0.65, "system": 0.25, "iowait": 0.06, "softirq": 0.04}.items():
            record.counter(
                "node_cpu_seconds_total",
                lambda at, share=share: used(at) * share,
                kernel=True,
                whole=False,
                cpu=cpu,
                mode=mode,
            )
        record.counter(
            "node_cpu_seconds_total", lambda at: 1 - used(at), kernel=True, whole=False, cpu=cpu, mode="idle"
        )
        for mode in ("nice", "irq", "steal"):
            record.counter("node_cpu_seconds_total", 0.0, kernel=True, whole=False, coarse=True, cpu=cpu, mode=mode)
    for minutes, calm in ((1, 1.0), (5, 0.95), (15, 0.9)):
        record.gauge(f"node_load{minutes}", lambda at, calm=calm: round(used(at) * 2.4 * calm, 2))
    total = 8.0 * GIB
    free = lambda at: total * (0.42 - 0.12 * busy(at)) * wavering("memory", 0.02)(at)
    record.gauge("node_memory_MemTotal_bytes", total, coarse=True)
    record.gauge(
        "node_memory_MemAvailable_bytes", lambda at: float(int(host.when(MEMORY_FULL, total * 0.06, free(at))(at)))
    )
    record.gauge("node_memory_MemFree_bytes", lambda at: float(int(free(at) / 3)), coarse=True)
    record.gauge("node_memory_Buffers_bytes", 210.0 * MIB, coarse=True)
    record.gauge("node_memory_Cached_bytes", lambda at: float(int(free(at) * 0.6)), coarse=True)
    record.gauge("node_memory_SwapTotal_bytes", 2.0 * GIB, coarse=True)
    record.gauge("node_memory_SwapFree_bytes", host.when(MEMORY_FULL, 0.6 * GIB, 1.9 * GIB))
    for what, rate in (("cpu_waiting", 0.02), ("io_waiting", 0.01), ("io_stalled", 0.004)):
        record.counter(f"node_pressure_{what}_seconds_total", lambda at, r=rate: r * busy(at), kernel=True, whole=False)
    for what in ("waiting", "stalled"):
        pressed = host.when(MEMORY_FULL, 0.3, 0.0005)
        record.counter(f"node_pressure_memory_{what}_seconds_total", pressed, kernel=True, whole=False)
    oom = Span(OOM - MINUTE / 2, OOM + MINUTE / 2)
    record.gauge("node_vmstat_oom_kill", lambda at: float(host.bad and at >= oom.start))
    record.gauge("node_boot_time_seconds", lambda at: float(boot if at >= DOWN.end else END - 40 * DAY), coarse=True)
    record.gauge("node_time_seconds", lambda at: at)
    record.gauge("node_procs_running", lambda at: float(int(1 + 3 * busy(at))), coarse=True)
    record.gauge("node_procs_blocked", 0, coarse=True)
    record.gauge("node_processes_pids", lambda at: float(int(260 + 40 * busy(at))), coarse=True)
    record.gauge("node_timex_offset_seconds", lambda at: 0.0004 * wavering("clock", 1)(at), coarse=True)
    record.gauge("node_timex_sync_status", 1, coarse=True)
    record.gauge("mailserver_clock_synchronised", 1, coarse=True)
    record.gauge("mailserver_clock_synchronisation_expected", 1, coarse=True)
    record.gauge("mailserver_mail_stack_info", 1, coarse=True, mail_stack="mailcow")
    record.gauge("mailserver_exporter_build_info", 1, coarse=True, version="0.6.0")
    for process, share in {"clamd": 0.3, "rspamd": 0.2, "mysqld": 0.12, "dovecot": 0.1, "python3": 0.01}.items():
        record.gauge("mailserver_top_cpu_usage_ratio", lambda at, s=share: round(used(at) * s, 4), process=process)
        record.gauge("mailserver_top_memory_bytes", 1.4 * GIB * share / 0.3, coarse=True, process=process)
    for device in ("eth0",):
        for way, rate in (("receive", 60_000), ("transmit", 90_000)):
            name = f"node_network_{way}"
            record.counter(f"{name}_bytes_total", lambda at, r=rate: r * busy(at), kernel=True, device=device)
            record.counter(f"{name}_errs_total", 0, kernel=True, coarse=True, device=device)
            record.counter(f"{name}_drop_total", 0.0001, kernel=True, coarse=True, device=device)
        record.gauge("node_network_up", 1, coarse=True, device=device)
    for way, rate in (("read", 200_000), ("written", 800_000)):
        record.counter(f"node_disk_{way}_bytes_total", lambda at, r=rate: r * busy(at), kernel=True, device="sda")
    record.counter("node_disk_io_time_seconds_total", lambda at: 0.1 * busy(at), kernel=True, whole=False, device="sda")


def filesystems(host: Host) -> None:
    """Three of them; the mail store grows by 0.3 points a day, and is nearly full at the end of the bad one."""
    record = host.recorder
    for mountpoint, (gib, used, device) in MOUNTS.items():
        labels = {"mountpoint": mountpoint, "device": device, "fstype": "ext4"}
        grows = 0.003 if mountpoint == "/var/vmail" else 0.0

        def available(at: float, size: float = gib * GIB, used: float = used, grows: float = grows) -> float:
            share = used + grows * (at - START) / DAY
            if host.bad and grows and at > START:
                share += 0.225 * (at - START) / DAY
            return float(int(size * (1 - share)))

        record.gauge("node_filesystem_size_bytes", float(gib * GIB), coarse=True, **labels)
        record.gauge("node_filesystem_avail_bytes", available, **labels)
        record.gauge("node_filesystem_free_bytes", available, **labels)
        record.gauge("node_filesystem_files", gib * 65536.0, coarse=True, **labels)
        record.gauge("node_filesystem_files_free", gib * 65536.0 * 0.8, coarse=True, **labels)
        record.gauge("node_filesystem_readonly", 0, coarse=True, **labels)
        record.gauge("node_filesystem_device_error", 0, coarse=True, **labels)
        record.gauge("mailserver_filesystem_present", 1, coarse=True, mountpoint=mountpoint)


def containers(host: Host) -> None:
    """Mailcow's; on the bad day Postfix's was down and started twice, and clamd was killed for memory."""
    record = host.recorder
    for name, mib in CONTAINERS.items():
        service, image = f"{name}-mailcow", f"ghcr.io/mailcow/{name}:1"
        full = f"mailcowdockerized-{service}-1"
        down = OUTAGE if name == "postfix" else NEVER
        of = {"name": full, "image": image}
        for state in docker_engine.STATES:
            running = {"running": (0.0, 1.0), "exited": (1.0, 0.0)}.get(state, (0.0, 0.0))
            record.gauge("mailserver_container_state", host.when(down, *running), name=full, state=state)
        for status in docker_engine.HEALTH:
            record.gauge(
                "mailserver_container_health", float(status == "healthy"), coarse=True, name=full, status=status
            )
        record.gauge("mailserver_container_info", 1, coarse=True, project="mailcowdockerized", service=service, **of)
        record.gauge("mailserver_service_up", host.when(down, 0, 1), project="mailcowdockerized", service=service)
        restarts = lambda at, n=name: 2.0 if host.bad and n == "postfix" and at >= OUTAGE.end else 0.0
        record.gauge("mailserver_container_restarts_total", restarts, name=full)
        record.gauge("mailserver_container_exit_code", 0, coarse=True, name=full)
        killed = lambda at, n=name: float(host.bad and n == "clamd" and at >= OOM)
        record.gauge("mailserver_container_oom_killed", killed, coarse=True, name=full)
        record.gauge("container_oom_events_total", killed, **of)
        created = END - 20.0 * DAY
        record.gauge("mailserver_container_image_created_timestamp_seconds", created, coarse=True, **of)
        starts = [END - 20 * DAY, END - 12 * DAY, *([OUTAGE.end] if host.bad and name == "postfix" else [])]
        begin = lambda at, starts=starts: float(max(start for start in starts if start <= at))
        record.gauge("container_start_time_seconds", begin, coarse=True, **of)
        record.gauge("container_health_state", 1, coarse=True, **of)
        usage = lambda at, mib=mib, n=name: float(int(mib * MIB * (0.9 + 0.1 * busy(at)) * wavering(n, 0.02)(at)))
        record.gauge("container_memory_working_set_bytes", usage, **of)
        record.gauge("container_spec_memory_limit_bytes", 2.0 * GIB if name == "clamd" else 0, coarse=True, **of)
        record.counter("container_cpu_usage_seconds_total", lambda at: 0.05 * busy(at), whole=False, cpu="total", **of)
