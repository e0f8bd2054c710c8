"""The exporter's command line with a log collector that runs more often and shorter; nothing else is changed.

So that there are many saved states in the short time between its start and its end by kill -9, and that the first run
shows little more than the state that it found. SAVING in the environment breaks what the tests are about, to see that
they notice: ``never``, or ``late``, after the counts are shown.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from mailserver_exporter.cli import main
from mailserver_exporter.collectors import logs
from mailserver_exporter.collectors.log_state import LogState, StateFile


class Early(StateFile):
    """As shipped."""

    def save(self, state: LogState) -> None:
        logs._RUN_SECONDS = 0.4
        super().save(state)


class Late(Early):
    """Saves what was shown the last time."""

    _shown: LogState | None = None

    def save(self, state: LogState) -> None:
        super().save(self._shown or LogState())
        self._shown = LogState.load(state.dump())


class Never(Early):
    """Saves nothing."""

    def save(self, state: LogState) -> None:
        super().save(LogState())


if __name__ == "__main__":
    logs.LogsCollector.schedule = replace(logs.LogsCollector.schedule, every=0.2)
    logs._RUN_SECONDS = 0.0
    logs._BATCH_BYTES = 16384
    logs.StateFile = {"": Early, "late": Late, "never": Never}[os.environ.get("SAVING", "")]
    sys.exit(main())
