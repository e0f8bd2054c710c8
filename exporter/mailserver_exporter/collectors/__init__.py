"""The collectors, one subject a file. The list below is all there is: a collector that is not in it does not run."""

from __future__ import annotations

from mailserver_exporter.collectors.base import Collector
from mailserver_exporter.collectors.load import LoadCollector

COLLECTORS: tuple[type[Collector], ...] = (LoadCollector,)
