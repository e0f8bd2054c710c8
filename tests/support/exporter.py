"""Run the exporter as a user would: its own process, its command line, its HTTP interface."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from mailserver_exporter.config import Config
from mailserver_exporter.settings.types import Section
from tests.support.metrics import Exposition
from tests.support.processes import Program, answers, free_port
from tests.support.tools import ROOT

# For tests of what stands before or beside the collectors.
NO_COLLECTORS = "".join(
    f"{setting.name}: {{enabled: false}}\n" for setting in fields(Config) if isinstance(setting.default, Section)
)


class Exporter(Program):
    """The exporter with the configuration ``yaml`` and its state below ``folder``."""

    def __init__(
        self,
        folder: Path,
        yaml: str = "",
        *,
        arguments: tuple[str, ...] = (),
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "config.yml"
        self.state = folder / "state"
        if "state_directory:" not in yaml:
            yaml += f"\nstate_directory: {self.state}\n"
        self.config.write_text(yaml)
        super().__init__(
            [
                *(sys.executable, "-m", "mailserver_exporter"),
                f"--config.file={self.config}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                *arguments,
            ],
            folder / "exporter.log",
            ready=lambda: answers(f"{self.url}/-/ready"),
            environment={"PYTHONPATH": str(ROOT / "exporter"), **(environment or {})},
        )

    def scrape(self, timeout: float = 15) -> Exposition:
        """Return what /metrics says now."""
        return Exposition.scrape(f"{self.url}/metrics", timeout)
