"""What the options of the command line may be, and their environment variables."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mailserver_exporter import logs
from mailserver_exporter.settings.backups import NAME, NAME_IN_WORDS

DEFAULT_CONFIG = Path("/etc/mailserver-exporter/config.yml")


def add_common(parser: argparse.ArgumentParser, *, suppress: bool) -> None:
    def default(flag: str, fallback: object = None) -> object:
        return argparse.SUPPRESS if suppress else environment(flag, fallback)

    found = DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None
    parser.add_argument(
        "--config.file",
        dest="config_file",
        metavar="FILE",
        type=Path,
        default=default("config.file", found),
        help=f"the configuration (default {DEFAULT_CONFIG} where it exists; without a file everything is detected)",
    )
    parser.add_argument(
        "--path.rootfs",
        dest="rootfs",
        metavar="DIR",
        default=default("path.rootfs", "/"),
        help="where the root of the host is mounted (default /, in the container /host)",
    )
    parser.add_argument(
        "--log.level",
        dest="log_level",
        choices=logs.LEVELS,
        type=one_of(logs.LEVELS),
        default=default("log.level", "info"),
        help="default info",
    )
    parser.add_argument(
        "--log.format",
        dest="log_format",
        choices=logs.FORMATS,
        type=one_of(logs.FORMATS),
        default=default("log.format", "logfmt"),
        help="default logfmt",
    )


def add_alerts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--since",
        default="24h",
        metavar="WHEN",
        help="90m, 24h, 7d; or 14:05, 2026-11-22, '2026-11-22 14:05' (default 24h)",
    )
    parser.add_argument(
        "--severity",
        action="append",
        choices=("critical", "warning", "info"),
        default=[],
        help="only those of this severity, repeatable",
    )
    parser.add_argument("--json", action="store_true", help="for scripts")


def add_report(parser: argparse.ArgumentParser) -> None:
    when = "90m, 24h, 7d ago; or 14:05, 2026-11-22, '2026-11-22 14:05'"
    parser.add_argument(
        "--from", dest="start", default="", metavar="WHEN", help=f"{when} (default 24 h before the end)"
    )
    parser.add_argument("--to", dest="end", default="", metavar="WHEN", help="as --from (default now)")
    parser.add_argument("--language", choices=("en", "de"), help="default report.language")
    parser.add_argument("--output", metavar="DIR", type=Path, help="write it there and send nothing; made if missing")
    parser.add_argument(
        "--if-due", action="store_true", help="the daily report, unless it was sent; never twice, whoever sends it"
    )
    parser.add_argument(
        "--prometheus.url",
        dest="prometheus_url",
        metavar="URL",
        type=url,
        help="default report.prometheus_url, else http://127.0.0.1:9090",
    )


def environment(flag: str, fallback: object = None) -> object:
    name = "MAILSERVER_EXPORTER_" + flag.upper().replace(".", "_").replace("-", "_")
    return os.environ.get(name) or fallback


def one_of(allowed: Sequence[str]) -> Callable[[str], str]:
    """Return a check for what comes from the environment, too, which argparse does not compare with ``choices``."""

    def check(text: str) -> str:
        if text not in allowed:
            raise argparse.ArgumentTypeError(f"invalid choice: {text!r} (choose from {', '.join(allowed)})")
        return text

    return check


def address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:9925 or [::1]:9925")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104 - only where the admin wrote ":9925"


def url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and text.isprintable()
    except ValueError:
        good = False
    if not good or " " in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://127.0.0.1:9093")
    return text


def seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds between 0 and 600")
    return seconds


def size(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of bytes")
    return int(text)


def backup_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not {NAME_IN_WORDS}")
    return text
