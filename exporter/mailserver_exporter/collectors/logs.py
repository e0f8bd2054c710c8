"""What the logs say, as counters."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule, thresholds
from mailserver_exporter.collectors.log_finding import JOURNAL, LogFinder, programs_by_source
from mailserver_exporter.collectors.log_programs import Program
from mailserver_exporter.collectors.log_state import LogState, StateFile
from mailserver_exporter.finding import Finding
from mailserver_exporter.sources import SourceError, syslog
from mailserver_exporter.sources.log_source import LogSource

log = logging.getLogger(__name__)

_FIND_SECONDS = 60.0
# What a run takes of a backlog before it shows what it has; the next one goes on.
_RUN_SECONDS = 3.0
_BATCH_BYTES = 131072
# So many lines are counted in less than a millisecond. Then a scrape, which needs the interpreter again after each of
# its system calls, gets its turn.
_SLICE = 50
_PAUSE_SECONDS = 0.0005


class LogsCollector(Collector):
    """Events that the logs tell of, as `journalctl -f` or `tail -F /var/log/mail.log` show them.

    mailserver_log_source_up{source="journal"} 1
    mailserver_log_lines_total{program="sshd",source="journal"} 1294
    mailserver_log_lines_understood_total{program="sshd",source="journal"} 1106
    mailserver_log_lines_dropped_total{source="journal"} 0
    mailserver_log_last_line_timestamp_seconds{program="sshd",source="journal"} 1.7953e+09
    mailserver_threshold_log_silence_seconds{program="postfix",severity="warning",source="journal"} 21600

    and what collectors/log_*.py make of the lines. A source that cannot be read has mailserver_log_source_up 0, and
    what is counted from it is left out until it can; the collector fails when there is no other. Counting starts at the
    end of each log and goes on where it was when the exporter ended.
    """

    name = "logs"
    schedule = Schedule(every=5, deadline=30)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._finder = LogFinder(context)
        self._file = StateFile(context.config.state_directory, remember=context.expectations.remember)
        self._lock = threading.Lock()
        self._closed = False
        self._state: LogState | None = None
        self._sources: dict[str, _Source] = {}
        self._find_next = float("-inf")

    def detect(self) -> Detection:
        """Say which programs were found; looking for them takes a run, so until then a log is expected to be there."""
        if self._state is None:
            return Detection(True, "looked for in the journal, files and containers")
        if not self._sources:
            return Detection(False, "no log of a program that is known")
        found = (f"{name} ({', '.join(each.programs)})" for name, each in sorted(self._sources.items()))
        return Detection(True, "; ".join(found))

    def collect(self) -> Iterator[Metric]:
        """Read what is new, save it, and yield all families."""
        with self._lock:
            if self._closed:
                raise SourceError("the exporter is ending")
            if self._state is None:
                self._state = self._file.load()
            self._find(self._state)
            self._read(self._state)
            self._file.save(self._state)
            failures = [source.failure for source in self._sources.values() if source.failure]
            if failures and len(failures) == len(self._sources):
                raise SourceError(
                    "; ".join(finding.detail for finding in failures), remedy="; ".join(f.remedy for f in failures)
                )
            yield from self._families(self._state)

    def findings(self) -> Iterator[Finding]:
        """Say of each log whether it can be read."""
        for name, source in sorted(self._sources.items()):
            good = Finding(f"log {name}", "good", ", ".join(source.programs))
            yield source.failure or good

    def close(self) -> None:
        """Close all logs, and let another exporter count."""
        with self._lock:
            self._closed = True
            for source in self._sources.values():
                source.close()
            self._file.close()

    def _find(self, state: LogState) -> None:
        if time.monotonic() < self._find_next:
            return
        found = programs_by_source(self._finder.find())
        for name in [name for name, source in self._sources.items() if name not in found]:
            self._sources.pop(name).close()
        for name, programs in found.items():
            known = self._sources.get(name)
            if known is None or list(known.programs) != [program.name for program in programs]:
                if known is not None:
                    known.close()
                self._sources[name] = _Source(name, programs)
            for program in programs:
                _ = state.lines[name, program.name], state.tallies[program.name]
        self._find_next = time.monotonic() + _FIND_SECONDS

    def _read(self, state: LogState) -> None:
        """Read all sources in turn, once at least, until there is nothing more or the time is up."""
        end = time.monotonic() + _RUN_SECONDS
        left = dict(self._sources)
        while left:
            for name, source in list(left.items()):
                if not source.read(self._finder, state):
                    del left[name]
            if time.monotonic() > end:
                break

    def _families(self, state: LogState) -> Iterator[Metric]:
        up = GaugeMetricFamily("mailserver_log_source_up", "Whether the log can be read.", labels=["source"])
        dropped = CounterMetricFamily(
            "mailserver_log_lines_dropped",
            "Lines that were not counted, because they are longer than 64 KiB or damaged.",
            labels=["source"],
        )
        labels = ["source", "program"]
        read = CounterMetricFamily("mailserver_log_lines", "Lines that the program has written.", labels=labels)
        understood = CounterMetricFamily(
            "mailserver_log_lines_understood",
            "Lines of a kind that is known, whether it is counted or not.",
            labels=labels,
        )
        last = GaugeMetricFamily(
            "mailserver_log_last_line_timestamp_seconds",
            "When the newest line of the program was read, or reading began.",
            labels=labels,
        )
        limits = []
        for name, source in sorted(self._sources.items()):
            up.add_metric([name], 0 if source.failure else 1)
            if source.failure:
                continue
            dropped.add_metric([name], state.dropped[name])
            for program in source.programs:
                lines = state.lines[name, program]
                read.add_metric([name, program], lines.read)
                understood.add_metric([name, program], lines.understood)
                last.add_metric([name, program], lines.last)
                limit = self.context.config.limits.log_silence_seconds.of(program)
                limits.append(({"source": name, "program": program}, limit))
        yield from (up, dropped, read, understood, last)
        if limits:
            yield thresholds("log_silence_seconds", "Limit of the time since the program's newest line.", limits)
        for source in self._sources.values():
            if not source.failure:
                for each in source.programs.values():
                    yield from each.families(state.tallies[each.name])
                    yield from each.limits(self.context.config.limits)


class _Source:
    """One log and the programs in it."""

    def __init__(self, name: str, programs: Sequence[Program]) -> None:
        self.name = name
        self.programs = {program.name: program for program in programs}
        self.failure: Finding | None = None
        self._log: LogSource | None = None
        # The programs of a file or of the journal are told apart by what their lines begin with.
        idents = [rb"(?P<p%d>%s)" % (index, each.ident) for index, each in enumerate(programs) if each.ident]
        self._ident = re.compile(b"|".join(idents)) if idents else None
        self._groups = {f"p{index}": each.name for index, each in enumerate(programs)}

    def read(self, finder: LogFinder, state: LogState) -> bool:
        """Count one batch of lines; return whether there is more. A failure is kept and told, and the others go on."""
        try:
            if self._log is None:
                self._log = finder.open(self.name, self._wanted, state.positions.get(self.name))
            batch = self._log.read(_BATCH_BYTES)
        except (SourceError, OSError) as error:
            self._fail(error)
            if self._log is not None and (position := self._log.position()):
                state.positions[self.name] = position
            return False
        if self.failure:
            log.info("log %s can be read again", self.name)
            self.failure = None
        state.dropped[self.name] += batch.dropped
        for start in range(0, len(batch.lines), _SLICE):
            self._count(batch.lines[start : start + _SLICE], state)
            if batch.more or start + _SLICE < len(batch.lines):
                time.sleep(_PAUSE_SECONDS)
        state.positions[self.name] = self._log.position()
        return batch.more

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()

    def _count(self, lines: Sequence[bytes], state: LogState) -> None:
        for program, own in self._by_program(lines):
            counts = state.lines[self.name, program]
            counts.read += len(own)
            counts.understood += self.programs[program].parser(own, state.tallies[program])
            counts.last = time.time()

    def _by_program(self, lines: Sequence[bytes]) -> Iterator[tuple[str, Sequence[bytes]]]:
        if self._ident is None:
            [program] = self.programs
            yield program, lines
            return
        sorted_out: dict[str, list[bytes]] = {}
        for body in lines if self.name == JOURNAL else syslog.bodies(lines):
            found = self._ident.match(body)
            if found:
                sorted_out.setdefault(self._groups[str(found.lastgroup)], []).append(body)
        [first, *others] = self.programs.values()
        if not sorted_out and not others and first.own_date and self.name.startswith("/"):
            sorted_out[first.name] = [line[first.own_date :] for line in lines]
        yield from sorted_out.items()

    def _wanted(self, body: bytes) -> object:
        return self._ident is None or self._ident.match(body)

    def _fail(self, error: SourceError | OSError) -> None:
        remedy = error.remedy if isinstance(error, SourceError) else _remedy(error)
        detail = f"{self.name}: {(error.strerror if isinstance(error, OSError) else '') or error}"
        if self.failure is None or self.failure.detail != detail:
            log.warning("log %s cannot be read: %s", self.name, error)
        self.failure = Finding(f"log {self.name}", "bad", detail, remedy)


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "run the exporter as root, or add its user to the group that may read the log (adm in Debian)"
    if isinstance(error, FileNotFoundError):
        return "name where the log is now in logs.sources; removed on purpose: mailserver-exporter forget LOG:PROGRAM"
    return ""
