"""The real programs that the tests run, from Debian's packages: fetched when first asked for, never installed."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "debian"

sys.path.insert(0, str(ROOT / "compose"))
import debian_packages  # noqa: E402 - a script beside the compose file, used by `make run`, too

# Prometheus and Alertmanager are tested at both ends of what design.md supports.
RELEASES = ("bookworm", "sid")

_PACKAGES = {
    "prometheus": {"bookworm": "prometheus", "sid": "prometheus"},
    "promtool": {"bookworm": "prometheus", "sid": "promtool"},
    "prometheus-alertmanager": {"bookworm": "prometheus-alertmanager", "sid": "prometheus-alertmanager"},
    "amtool": {"bookworm": "prometheus-alertmanager", "sid": "prometheus-alertmanager"},
    "prometheus-node-exporter": {"bookworm": "prometheus-node-exporter"},
    "prometheus-blackbox-exporter": {"bookworm": "prometheus-blackbox-exporter", "sid": "prometheus-blackbox-exporter"},
    "prometheus-postfix-exporter": {"sid": "prometheus-postfix-exporter"},
}


@lru_cache
def unpacked(package: str, release: str) -> Path:
    """Return the folder in which a package of a release is unpacked; raises FetchError."""
    return debian_packages.fetch([package], CACHE, release)


def program(name: str, release: str = "bookworm") -> str:
    """Return the path of a program, such as ``prometheus`` of ``sid``; raises FetchError."""
    return str(unpacked(_PACKAGES[name][release], release) / "usr/bin" / name)
