"""The exporter's command line with a log collector that runs more often and shorter; nothing else is changed.

So that there are many saved states in the short time between its start and its end by kill -9.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from mailserver_exporter.cli import main
from mailserver_exporter.collectors import logs

if __name__ == "__main__":
    logs.LogsCollector.schedule = replace(logs.LogsCollector.schedule, every=0.2)
    logs._RUN_SECONDS = 0.4
    sys.exit(main())
