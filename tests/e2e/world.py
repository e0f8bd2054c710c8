"""The mail host and its watchers, with the shipped rules and routes in shortened time."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

from tests.e2e import shortened
from tests.support.mailhost import MailHost
from tests.support.processes import wait_for
from tests.support.watchers import Watchers

THROTTLE = 4.0
_OFF = {"info": None, "warning": None, "critical": None}
# What depends on how busy this machine is has no limit here; tests/rules tests those.
_SETTINGS = {
    "system": {"enabled": False},
    "limits": {"cpu_usage_ratio": _OFF, "memory_usage_ratio": _OFF, "load_per_core": _OFF},
    "notifications": {"throttle": f"{THROTTLE:g}s"},
}


class World(MailHost):
    """What a fault works on: ``with World(release) as world``."""

    def __init__(self, release: str) -> None:
        super().__init__()
        self.release = release

    def _start(self) -> None:
        super()._start()
        settings: dict[str, Any] = {**self.settings(), **_SETTINGS}
        self.watchers = self._cleanup.enter_context(
            Watchers(self.folder / "watchers", settings, release=self.release, adapt=_shorten)
        )
        wait_for("everything is measured and quiet", self.watchers.quiet, 60)

    def settle(self, throttles: float = 1.5) -> None:
        """Wait as long as a further message may take."""
        time.sleep(THROTTLE * throttles)

    def __enter__(self) -> World:
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)


def _shorten(rendered: Path, rules: Path) -> None:
    for file, change in (("prometheus.yml", shortened.prometheus), ("alertmanager.yml", shortened.alertmanager)):
        path = rendered / file
        path.write_text(yaml.safe_dump(change(yaml.safe_load(path.read_text())), sort_keys=False))
    for path in rules.iterdir():
        path.write_text(shortened.rules(path.read_text()))
