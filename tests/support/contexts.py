"""Make what a collector is given, for tests of one collector."""

from __future__ import annotations

from pathlib import Path

from mailserver_exporter.collectors.base import Context
from mailserver_exporter.config import Config
from mailserver_exporter.expectations import Expectations
from mailserver_exporter.host import Host
from mailserver_exporter.mailstack import MailStack
from mailserver_exporter.schema import read_text


def context(state: Path, yaml: str = "", rootfs: Path | str = "/") -> Context:
    """Return a context with the configuration ``yaml``, state in ``state``, and the host seen at ``rootfs``."""
    config = read_text(yaml, "config.yml", Config())
    host = Host(str(rootfs))
    return Context(config, host, Expectations(state), MailStack(config, host))
