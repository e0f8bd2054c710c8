"""Metrics that other jobs of the host leave in files."""

from __future__ import annotations

import glob
import logging
import os
import stat
import time
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection
from mailserver_exporter.exposition import TextFamily
from mailserver_exporter.finding import Finding, counted
from mailserver_exporter.sources import SourceError, files, textfile

log = logging.getLogger(__name__)

_DEFAULT_DIRECTORY = "/var/lib/prometheus/node-exporter"  # as Debian's node_exporter is started
_MAX_FILE_BYTES = 1 << 20
_MAX_BYTES = 4 << 20
# Within one tick of the file system's clock a file may change twice and look the same; so what is this new is not yet
# taken for known.
_FRESH_SECONDS = 2.0

Stamp = tuple[int, int, int]


class TextfileCollector(Collector):
    """What is in `*.prom`, as node_exporter's collector of this name shows it, see `cat DIRECTORY/*.prom`.

    # HELP node_textfile_mtime_seconds Unixtime mtime of textfiles successfully read.
    # TYPE node_textfile_mtime_seconds gauge
    node_textfile_mtime_seconds{file="/var/lib/prometheus/node-exporter/backup.prom"} 1.795318759e+09
    node_textfile_scrape_error 0
    my_backup_last_success_timestamp_seconds 1.7953187e+09

    Read again only when a file has changed. One bad file takes no other along: node_textfile_scrape_error is 1, the log
    and `check` say what is wrong with which. Unlike node_exporter, a HELP that differs costs no series.
    """

    name = "textfile"
    passes_through = True

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._listings: dict[str, tuple[Stamp, list[str]]] = {}
        self._stamps: dict[str, Stamp] | None = None
        self._families: list[TextFamily] = []
        self._modified: dict[str, float] = {}
        # By path: what is wrong and how to mend it; of the newest reading, and of everything.
        self._unusable: dict[str, tuple[str, str]] = {}
        self._problems: dict[str, tuple[str, str]] = {}

    def detect(self) -> Detection:
        """Say whether there is a directory to read."""
        given = self.context.config.textfile.directories
        if given:
            return Detection(True, ", ".join(given))
        found = os.path.isdir(self.context.host.path(_DEFAULT_DIRECTORY))
        return Detection(found, _DEFAULT_DIRECTORY if found else f"no directory {_DEFAULT_DIRECTORY}")

    def collect(self) -> Iterator[Metric]:
        """Yield the files' families, and what is known of the files."""
        problems: dict[str, tuple[str, str]] = {}
        stamps = dict(self._look(problems))
        now = time.time()
        fresh = any(0 <= now - modified / 1e9 < _FRESH_SECONDS for modified, _, _ in stamps.values())
        if fresh or stamps != self._stamps:
            self._read(stamps)
            self._stamps = None if fresh else stamps
        self._tell({**self._unusable, **problems})
        yield from self._families
        if self._modified:
            modified = GaugeMetricFamily(
                "node_textfile_mtime_seconds", "Unixtime mtime of textfiles successfully read.", labels=["file"]
            )
            for path, seconds in sorted(self._modified.items()):
                modified.add_metric([path], seconds)
            yield modified
        yield GaugeMetricFamily(
            "node_textfile_scrape_error",
            "1 if there was an error opening or reading a file, 0 otherwise",
            1 if self._problems else 0,
        )

    def found(self) -> str:
        """Say how many files are read and where from."""
        return f"{counted(len(self._modified), 'file')} in {self.detect().detail}"

    def findings(self) -> Iterator[Finding]:
        """Yield a line for each file that cannot be taken, or not all of it."""
        for path, (problem, remedy) in sorted(self._problems.items()):
            yield Finding("textfile", "bad", f"{path}: {problem}", remedy)

    def _look(self, problems: dict[str, tuple[str, str]]) -> Iterator[tuple[str, Stamp]]:
        """Yield each file, by the host's own path, with what changes when it does."""
        for given in self.context.config.textfile.directories or (_DEFAULT_DIRECTORY,):
            seen = self.context.host.path(given)
            for directory in sorted(glob.glob(seen)) or [seen]:
                name = directory.removeprefix(self.context.host.rootfs.rstrip("/"))
                try:
                    entries = self._list(directory)
                except OSError as error:
                    problems[name] = (
                        error.strerror or "cannot be read",
                        f"mkdir -p {name}, or change textfile.directories",
                    )
                    continue
                for entry in entries:
                    path = f"{name}/{entry}"
                    # It becomes a label, and those are text.
                    shown = os.fsencode(path).decode(errors="replace")
                    if shown != path:
                        problems[shown] = ("its name is not UTF-8", "rename it")
                        continue
                    try:
                        status = os.stat(self.context.host.path(path))
                    except OSError as error:
                        problems[path] = (error.strerror or "cannot be read", "")
                        continue
                    yield path, (status.st_mtime_ns, status.st_size, status.st_ino)

    def _list(self, directory: str) -> list[str]:
        """Return the names of the files; a directory that has not changed is not listed again, it may be large."""
        status = os.stat(directory)
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        known = self._listings.get(directory)
        if known and known[0] == stamp:
            return known[1]
        names = sorted(name for name in os.listdir(directory) if name.endswith(".prom"))
        if not 0 <= time.time() - status.st_mtime < _FRESH_SECONDS:
            self._listings[directory] = (stamp, names)
        return names

    def _read(self, stamps: dict[str, Stamp]) -> None:
        self._unusable = {}
        self._modified = {}
        merged: dict[str, textfile.Family] = {}
        first: dict[str, str] = {}
        size = 0
        for path, (modified, length, _) in stamps.items():
            size += length
            try:
                found = textfile.parse(_content(self.context.host.path(path), _MAX_BYTES - size + length))
            except OSError as error:
                self._unusable[path] = (error.strerror or "cannot be read", f"chmod a+r {path}")
                continue
            except SourceError as error:
                self._unusable[path] = (str(error), error.remedy)
                continue
            left_out = [*found.left_out, *textfile.merge(found.families, merged)]
            if left_out:
                more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
                self._unusable[path] = (
                    f"left out: {left_out[0]}{more}",
                    "give every series a name and labels of its own",
                )
            for family in found.families:
                first.setdefault(family.name, path)
            self._modified[path] = modified // 10**9
        self._families = [
            TextFamily(
                name, family.help or f"Metric read from {first[name]}", family.kind, "".join(family.samples.values())
            )
            for name, family in merged.items()
        ]

    def _tell(self, problems: dict[str, tuple[str, str]]) -> None:
        """Log what is new."""
        for path, (problem, _) in problems.items():
            if self._problems.get(path, ("", ""))[0] != problem:
                log.warning("text file %s: %s", path, problem)
        self._problems = problems


def _content(path: str, left: int) -> bytes:
    """Return what is in a file; raises SourceError when it is none, or larger than what is left of the bounds."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise SourceError("is not a file")
    if status.st_size > left:
        raise SourceError(f"is one too many: all files together are larger than {_MAX_BYTES} bytes")
    if status.st_size > _MAX_FILE_BYTES:
        raise SourceError(f"is larger than {_MAX_FILE_BYTES} bytes")
    return files.read(path, _MAX_FILE_BYTES)
