"""The running exporter: one configuration and what was built from it, replaced as a whole by a reload."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter import __version__
from mailserver_exporter.alert_log import AlertLogFile
from mailserver_exporter.collection import Collection
from mailserver_exporter.collectors import COLLECTORS
from mailserver_exporter.collectors.base import Collector, Context
from mailserver_exporter.config import Config, ConfigError, load
from mailserver_exporter.expectations import Expectations
from mailserver_exporter.exposition import encode
from mailserver_exporter.host import Host
from mailserver_exporter.mailstack import MailStack

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Setup:
    """All that follows from one configuration."""

    config: Config
    context: Context
    collection: Collection
    alert_log: AlertLogFile


def build(
    config: Config,
    host: Host,
    collectors: Sequence[type[Collector]] = COLLECTORS,
    *,
    config_file: Path | None = None,
    remember: bool = True,
) -> Setup:
    """Make the parts that a configuration asks for; without ``remember`` nothing is written to the state directory."""
    expectations = Expectations(config.state_directory, remember=remember)
    context = Context(config, host, expectations, MailStack(config, host), config_file)
    collection = Collection([collector(context) for collector in collectors], expectations)
    return Setup(config, context, collection, AlertLogFile(config.alert_log_file, config.alert_log))


class App:
    """The exporter behind the web server."""

    def __init__(self, config_file: Path | None, host: Host) -> None:
        """Read the configuration; raises ConfigError."""
        self._file = config_file
        self._host = host
        self._lock = threading.Lock()
        self.setup = build(load(config_file), host, config_file=config_file)
        self.started = time.time()
        self.reload_error = ""
        self._reloaded = self.started
        self._process = ProcessCollector(registry=None)

    def start(self) -> None:
        """Begin with what has to run also when nobody scrapes."""
        self.setup.collection.start()

    def scrape(self, budget: float) -> bytes:
        """Return the whole exposition."""
        names: set[str] = set()
        own = encode(self._own_metrics(), names)
        return self.setup.collection.scrape(budget, names) + own

    def reload(self) -> None:
        """Read the configuration again. Raises ConfigError and keeps the running one when it is bad."""
        with self._lock:
            try:
                setup = build(load(self._file), self._host, config_file=self._file)
            except ConfigError as error:
                self.reload_error = str(error)
                log.error("configuration not reloaded, the running one is kept: %s", "; ".join(str(error).splitlines()))  # noqa: TRY400
                raise
            self.reload_error = ""
            self._reloaded = time.time()
            old, self.setup = self.setup, setup
            old.collection.close()
            setup.collection.start()
            log.info("configuration reloaded")

    def close(self) -> None:
        """Stop what runs in the background."""
        self.setup.collection.close()

    def _own_metrics(self) -> Iterator[Metric]:
        yield from self._process.collect()
        build_info = GaugeMetricFamily(
            "mailserver_exporter_build_info", "Version of the exporter; the value is always 1.", labels=["version"]
        )
        build_info.add_metric([__version__], 1)
        yield build_info
        stack = GaugeMetricFamily(
            "mailserver_mail_stack_info", "Which mail stack was detected; the value is always 1.", labels=["mail_stack"]
        )
        stack.add_metric([self.setup.context.mailstack.get().kind], 1)
        yield stack
        yield GaugeMetricFamily(
            "mailserver_exporter_config_last_reload_successful",
            "Whether the newest attempt to read the configuration succeeded.",
            0 if self.reload_error else 1,
        )
        yield GaugeMetricFamily(
            "mailserver_exporter_config_last_reload_success_timestamp_seconds",
            "When the configuration in use was read.",
            self._reloaded,
        )
