"""The care of the host: backups, updates, units, clock, report, and whether what we look at can be looked at."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from board import Panels, board
from panels import (
    INSTANCE,
    YES_IS_GOOD,
    Column,
    bars,
    figures,
    limit,
    lines,
    listing,
    number,
    per_minute,
    states,
)

_WAITS = {0: ("no", "green"), 1: ("yes", "orange")}


def care() -> Dashboard:
    """Return the dashboard."""
    return board(
        "care",
        "Mail server care",
        "Backups, updates, systemd, the clock, the daily report, and the sources of all this. "
        "Dashed lines are the limits of config.yml.",
        {
            "Backups": _backups(),
            "Updates": _updates(),
            "Units and timers": _units(),
            "Clock": _clock(),
            "Daily report": _report(),
            "Logs": _logs(),
            "Collectors": _collectors(),
        },
        span="2d",
    )


def _backups() -> Panels:
    def newest(what: str, word: str = "max") -> str:
        return f"{word} by (name) (mailserver_backup_{what}{{{INSTANCE}}})"

    def age(what: str) -> str:
        return f"time() - ({newest(f'last_{what}timestamp_seconds')} > 0)"

    yield figures(
        "Backups",
        [
            Column("age", age(""), unit="dtdurations"),
            Column("size", newest("last_size_bytes"), unit="bytes"),
            Column("usual size", newest("median_size_bytes"), unit="bytes"),
            Column("kept", newest("kept")),
            Column("all parts", newest("part_present", "min"), words=YES_IS_GOOD),
            Column("readable", newest("readable", "min"), words=YES_IS_GOOD),
            Column("copied", age("copy_"), unit="dtdurations"),
            Column("restore rehearsed", age("restore_rehearsal_"), unit="dtdurations"),
        ],
        {"name": "backup"},
        "The newest whole backup of each set; the times are how long ago it was.",
    )
    yield lines(
        "Age of the newest backup",
        [(age(""), "{{name}}")],
        "The strictest limit is drawn: a set that is not made daily has a longer one.",
        unit="s",
        limits=limit("backup_age_seconds"),
        width=8,
    )
    yield lines(
        "Age of the newest copy",
        [(age("copy_"), "{{name}}")],
        "How long ago the newest copy on another machine was made.",
        unit="s",
        limits=limit("backup_copy_age_seconds"),
        width=8,
    )
    yield lines(
        "Size against the usual",
        [(f"{newest('last_size_bytes')} / {newest('median_size_bytes')}", "{{name}}")],
        "The size of the newest backup divided by the median of the last ten.",
        unit="percentunit",
        limits=limit("backup_size_ratio"),
        width=8,
    )


def _updates() -> Panels:
    yield lines(
        "Updates that wait",
        [(f"sum by (class) (mailserver_updates_pending{{{INSTANCE}}})", "{{class}}")],
        "Installed packages for which there is a newer version.",
        stacked=True,
        width=6,
    )
    for title, what, description in (
        ("Oldest security update", "security_update", "The time since it was first seen; 0 when none waits."),
        ("Reboot due for", "reboot_required", "The time since the update that needs a reboot; 0 when none does."),
    ):
        yield lines(
            title,
            [(f"mailserver_{what}_age_seconds{{{INSTANCE}}}", "{{instance}}")],
            description,
            unit="s",
            limits=limit(f"{what}_age_seconds"),
            width=6,
        )
    yield lines(
        "Age of the package lists",
        [(f"time() - apt_package_cache_timestamp_seconds{{{INSTANCE}}}", "{{instance}}")],
        "The time since apt last asked for new updates.",
        unit="s",
        limits=limit("package_lists_age_seconds"),
        width=6,
    )
    yield listing(
        "Kernel",
        f"mailserver_kernel_info{{{INSTANCE}}}",
        {"instance": "host", "running": "running", "installed": "installed"},
        "The kernel that runs and the newest that is installed.",
        width=12,
        height=8,
    )
    yield bars(
        "Age of images",
        f"sort_desc(max by (name) (time() - mailserver_container_image_created_timestamp_seconds{{{INSTANCE}}}))",
        "{{name}}",
        "How long ago the image of each container was made: updates of what is in it are newer images.",
        unit="dtdurations",
    )


def _units() -> Panels:
    yield states(
        "Units",
        f"min by (name) (mailserver_systemd_unit_active{{{INSTANCE}}})",
        "{{name}}",
        "Units that should be active.",
        words={0: ("inactive", "red"), 1: ("active", "green")},
    )
    yield bars(
        "Timers",
        f"sort_desc(max by (name) (time() - (node_systemd_timer_last_trigger_seconds{{{INSTANCE}}} > 0)))",
        "{{name}}",
        "How long ago each timer last ran its unit.",
        unit="dtdurations",
    )
    yield listing(
        "Failed units",
        f'node_systemd_unit_state{{state="failed", {INSTANCE}}} == 1',
        {"instance": "host", "name": "unit", "type": "type"},
        "What systemd ran and what ended with an error.",
        width=12,
        height=8,
    )
    yield lines(
        "Zombies",
        [(f"max by (parent) (mailserver_zombie_processes{{{INSTANCE}}})", "{{parent}}")],
        "Ended processes that their parent has not waited for, by the parent.",
        stacked=True,
    )


def _clock() -> Panels:
    yield lines(
        "Offset",
        [(f"abs(node_timex_offset_seconds{{{INSTANCE}}})", "{{instance}}")],
        "How far the clock is off, in either direction.",
        unit="s",
        limits=limit("clock_offset_seconds"),
        width=8,
    )
    yield lines(
        "Possible error",
        [
            (f"node_timex_maxerror_seconds{{{INSTANCE}}}", "at most"),
            (f"node_timex_estimated_error_seconds{{{INSTANCE}}}", "estimated"),
        ],
        "What the kernel thinks how far the clock may be off.",
        unit="s",
        width=8,
    )
    yield states(
        "Synchronised",
        f"min by (instance) (mailserver_clock_synchronised{{{INSTANCE}}})",
        "{{instance}}",
        "Whether somebody keeps the clock right.",
        words=YES_IS_GOOD,
        width=8,
    )


def _report() -> Panels:
    def newest(what: str) -> str:
        return f"max by (instance) (mailserver_report_{what}{{{INSTANCE}}})"

    def attempts(result: str) -> str:
        return newest("attempts_total").replace("{", f'{{result="{result}", ', 1)

    yield figures(
        "Newest report",
        [
            Column("sent", newest("success"), words=YES_IS_GOOD),
            Column("sent last", f"time() - ({newest('last_success_timestamp_seconds')} > 0)", unit="dtdurations"),
            Column("next in", f"{newest('next_timestamp_seconds')} - time()", unit="dtdurations"),
            Column("size", newest("size_bytes"), unit="bytes"),
            Column("made within", newest("duration_seconds"), unit="s"),
            Column("sent in all", attempts("sent"), unit="short"),
            Column("failed attempts", attempts("failed"), unit="short"),
        ],
        {"instance": "host"},
        "Whether all its addressees' servers have taken it; sent last is how long ago that was.",
        width=12,
    )
    yield lines(
        "Overdue",
        [(newest("overdue_seconds"), "{{instance}}")],
        "The time since the first report was due that has not been sent, 0 when none is waiting.",
        unit="s",
        limits=limit("report_overdue_seconds"),
        width=6,
    )
    yield lines(
        "Attempts to send",
        [(f"sum by (result) (increase(mailserver_report_attempts_total{{{INSTANCE}}}[1h]))", "{{result}}")],
        "In an hour, by how they ended. One that failed is tried again, at last once an hour.",
        width=6,
    )


def _logs() -> Panels:
    yield lines(
        "Silence",
        [
            (
                f"time() - max by (source, program) (mailserver_log_last_line_timestamp_seconds{{{INSTANCE}}})",
                "{{program}} in {{source}}",
            )
        ],
        "The time since the newest line of each program. The strictest limit is drawn.",
        unit="s",
        limits=limit("log_silence_seconds"),
    )
    yield lines(
        "Lines",
        [(per_minute("mailserver_log_lines_total", "program"), "{{program}}")],
        "Lines that were read.",
        unit="suffix: /min",
    )
    read, understood = "mailserver_log_lines_total", "mailserver_log_lines_understood_total"
    yield figures(
        "Log sources",
        [
            Column("readable", f"min by (source) (mailserver_log_source_up{{{INSTANCE}}})", words=YES_IS_GOOD),
            Column("lines", f"sum by (source) ({read}{{{INSTANCE}}})", unit="short"),
            Column("understood", f"sum by (source) ({understood}{{{INSTANCE}}})", unit="short"),
            Column("dropped", f"sum by (source) (mailserver_log_lines_dropped_total{{{INSTANCE}}})", unit="short"),
        ],
        {"source": "log"},
        "Lines since counting began. Dropped are those that are longer than 64 KiB or damaged.",
    )


def _collectors() -> Panels:
    yield states(
        "Collectors",
        f"min by (collector) (mailserver_collector_success{{{INSTANCE}}})",
        "{{collector}}",
        "Whether each collector works; one that fails shows nothing.",
        words={0: ("fails", "red"), 1: ("works", "green")},
    )
    yield bars(
        "Time of a run",
        f"sort_desc(max by (collector) (mailserver_collector_duration_seconds{{{INSTANCE}}}))",
        "{{collector}}",
        "How long each collector's newest run took, most of them in the background.",
        unit="s",
    )
    yield bars(
        "Age of text files",
        f"sort_desc(max by (file) (time() - node_textfile_mtime_seconds{{{INSTANCE}}}))",
        "{{file}}",
        "How long ago other jobs wrote the files that are passed on.",
        unit="dtdurations",
    )
    yield number(
        "Unreadable text files",
        f"max(node_textfile_scrape_error{{{INSTANCE}}})",
        "1 when one of them could not be read or is no valid exposition.",
        bad_from=1,
    )
    yield number(
        "Memory of the exporter",
        f'max(process_resident_memory_bytes{{job="mailserver-exporter", {INSTANCE}}})',
        "Resident memory (RSS).",
        unit="bytes",
    )
    yield number(
        "CPU of the exporter",
        f'max(rate(process_cpu_seconds_total{{job="mailserver-exporter", {INSTANCE}}}[$__rate_interval]))',
        "CPUs that it uses; 1 is one core.",
    )
