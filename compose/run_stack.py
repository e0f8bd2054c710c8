"""What `make run` consists of: the exporter, Alertmanager and Prometheus with the shipped rules."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import run_programs
from mailserver_exporter.config import Config
from make_venv import OWN_CERTIFICATES
from run_parts import Part, WrongUseError, get

PROJECT = Path(__file__).resolve().parents[1]
CACHE = PROJECT / ".cache" / "debian"
PORTS = {"exporter": 9925, "prometheus": 9090, "alertmanager": 9093}
EXPORTER = str(Path(sys.executable).with_name("mailserver-exporter"))


class Stack:
    """The parts, in the order in which they start; making it finds the programs and renders their configuration."""

    def __init__(self, folder: Path, config_file: Path | None, config: Config, ports: dict[str, int]) -> None:
        """Raises ProgramError, WrongUseError and OSError."""
        self._folder, self._config, self._ports = folder, config, ports
        self._rendered = folder / "rendered"
        self._prometheus = run_programs.find(run_programs.PROMETHEUS, CACHE)
        self._alertmanager = run_programs.find(run_programs.ALERTMANAGER, CACHE)
        self._config_arguments = ["--config.file", str(config_file)] if config_file else []
        for name in ("log", "prometheus", "alertmanager", "state"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._render()
        self.parts = [self._exporter_part(), self._alertmanager_part(), self._prometheus_part()]

    def scraped(self) -> bool:
        """Say whether Prometheus has measured with the exporter once."""
        # Not the series `up`, which a run of five minutes ago may have left.
        targets = self._ask("targets?state=active").get("activeTargets", [])
        return any(t["scrapePool"] == "mailserver-exporter" and t["health"] == "up" for t in targets)

    def description(self) -> str:
        """Return what the admin wants to know once it runs."""
        exporter, alertmanager, prometheus = self.parts
        channels = [str(self._config.alert_log_file), "this console"]
        channels[:0] = [
            name
            for name, channel in (
                ("Telegram", self._config.notifications.telegram),
                ("e-mail", self._config.notifications.email),
            )
            if channel
        ]
        lines = [
            "",
            f"status        {exporter.url}",
            f"metrics       {exporter.url}metrics",
            f"Prometheus    {prometheus.url}  {self._prometheus}",
            f"Alertmanager  {alertmanager.url}  {self._alertmanager}",
            f"alerts go to  {', '.join(channels)}",
            f"daily report  {self._report()}",
            f"logs          {self._folder / 'log'}",
            f"commands      . {shlex.quote(str(self._commands_file()))}; mailserver-exporter check --send-test",
        ]
        failing = sorted(labels["collector"] for labels, _ in self._query("mailserver_collector_success == 0"))
        if failing:
            why = "" if os.geteuid() == 0 else ", perhaps because we are not root"
            lines.append(f"not readable  {', '.join(failing)}{why}: see the status page")
        return "\n".join([*lines, "Ctrl-C stops all of it.", ""])

    def _report(self) -> str:
        email, report = self._config.notifications.email, self._config.report
        if report.enabled is False:
            return "switched off"
        if email is None:
            return "none without notifications.email"
        zone = f" ({report.time_zone})" if report.time_zone else ""
        return f"at {report.at}{zone} to {', '.join(report.to or email.to)}"

    def _commands_file(self) -> Path:
        """Write what the program's other commands need to know of this run, for a shell to read; return the file."""
        variables = {**self._urls(), "STATE_DIRECTORY": os.environ["STATE_DIRECTORY"]}
        if self._config_arguments:
            variables["MAILSERVER_EXPORTER_CONFIG_FILE"] = str(Path(self._config_arguments[1]).resolve())
        lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
        lines.append(f"export PATH={shlex.quote(str(Path(EXPORTER).parent))}:$PATH")
        file = self._folder / "environment"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    def _urls(self) -> dict[str, str]:
        """Return where the others listen, as the exporter's environment names it."""
        return {
            f"MAILSERVER_EXPORTER_{name.upper()}_URL": f"http://127.0.0.1:{self._ports[name]}"
            for name in ("prometheus", "alertmanager")
        }

    def _query(self, expression: str) -> list[tuple[dict[str, str], str]]:
        """Return (labels, value) of each series."""
        result = self._ask(f"query?query={quote(expression)}").get("result", [])
        return [(series["metric"], series["value"][1]) for series in result]

    def _ask(self, what: str) -> dict[str, Any]:
        """Return what Prometheus' API answers; nothing while it does not answer."""
        try:
            answer: dict[str, dict[str, Any]] = json.loads(get(f"{self.parts[-1].url}api/v1/{what}"))
        except OSError:
            return {}
        return answer["data"]

    def _render(self) -> None:
        urls = [f"--{name}.url=http://127.0.0.1:{port}" for name, port in self._ports.items()]
        command = [EXPORTER, "render", *self._config_arguments, f"--output={self._rendered}", *urls]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise WrongUseError(done.stderr.strip())

    def _exporter_part(self) -> Part:
        port = self._ports["exporter"]
        command = [EXPORTER, *self._config_arguments, "--web.listen-address", f"127.0.0.1:{port}"]
        # One arena for all threads of the C library's malloc, as in the Dockerfile: 1 MiB less.
        environment = {"MALLOC_ARENA_MAX": "1", **self._urls()}
        return Part("the exporter", command, port, self._folder / "log" / "exporter.log", environment)

    def _alertmanager_part(self) -> Part:
        port, folder = self._ports["alertmanager"], self._folder / "alertmanager"
        command = [
            self._alertmanager.path,
            f"--config.file={self._rendered / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            *_web(port),
            "--cluster.listen-address=",
        ]
        environment = {"GOMEMLIMIT": "64MiB"}
        certificates = Path(sys.prefix) / OWN_CERTIFICATES
        if certificates.exists():
            environment["SSL_CERT_FILE"] = str(certificates)
        return Part("Alertmanager", command, port, self._folder / "log" / "alertmanager.log", environment)

    def _prometheus_part(self) -> Part:
        port, folder = self._ports["prometheus"], self._folder / "prometheus"
        command = [
            self._prometheus.path,
            f"--config.file={self._rendered / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--storage.tsdb.retention.time=15d",
            "--storage.tsdb.retention.size=512MB",
            "--query.max-samples=5000000",
            *_web(port),
        ]
        return Part(
            "Prometheus", command, port, self._folder / "log" / "prometheus.log", {"GOMEMLIMIT": "128MiB", "GOGC": "50"}
        )


def _web(port: int) -> list[str]:
    return [f"--web.listen-address=127.0.0.1:{port}", f"--web.external-url=http://127.0.0.1:{port}/"]
