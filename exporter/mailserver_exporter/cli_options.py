"""What the options of the command line may be, and their environment variables."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mailserver_exporter.settings.backups import NAME, NAME_IN_WORDS

DEFAULT_CONFIG = Path("/etc/mailserver-exporter/config.yml")


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
