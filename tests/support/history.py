"""A real Prometheus that has watched a mail host for two weeks: a good day, a bad one, a first one, one with gaps.

    with History("bad") as history:
        Prometheus(history.url, history.instance, history.period)
        history.series("up")  # what was recorded, by another route than PromQL

The blocks are made with ``promtool tsdb create-blocks-from openmetrics`` and kept in .cache for as long as what they
are made of stays the same. The recording rules are the shipped ones, evaluated by promtool over the days that are
compared.

One thing differs from what a real Prometheus would have recorded: OpenMetrics has no stale markers, so that a series
that ends is still there for five minutes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from mailserver_exporter.report.period import Period
from tests.support import history_scenarios
from tests.support.history_host import INSTANCE, JOB, SCENARIOS, START
from tests.support.history_series import DAY, END, HOUR, Recorder, Series, Span, write
from tests.support.processes import Program, answers, free_port
from tests.support.tools import ROOT, program

ZONE = ZoneInfo("Europe/Berlin")
OTHER = "other.example.org"
"""Another host that the same Prometheus watches, where everything is wrong: none of it belongs into the report."""

_CACHE = ROOT / ".cache" / "history"
# The day before and the week before, each with the hour that a rate looks back.
_COMPARED = (Span(END - 8 * DAY - HOUR, END - 7 * DAY), Span(END - 2 * DAY - HOUR, START - 60))
_MODULES = ("history", "history_host", "history_mail", "history_scenarios", "history_series")
_CONFIGURATION = "global: {scrape_interval: 1h}\n"


TOLD = Span(START, END + 1)
"""The day that the report is about."""


class History:
    """A Prometheus with the history of one of ``SCENARIOS``; ends with the ``with`` block."""

    instance = INSTANCE
    end = END
    """When the report is made, seconds since the epoch: 02:00 in Berlin."""

    def __init__(self, scenario: str, release: str = "bookworm") -> None:
        self.scenario = scenario
        self._release = release
        self._cleanup = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """Where Prometheus answers."""
        return self._url

    @property
    def period(self) -> Period:
        """The day that the report is about."""
        return self.period_in(ZONE)

    def period_in(self, zone: tzinfo) -> Period:
        """Return the same day for a reader in this zone."""
        return Period.before(datetime.fromtimestamp(self.end, zone))

    def __enter__(self) -> History:
        with contextlib.ExitStack() as cleanup:
            folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="history-")))
            # Prometheus writes beside its blocks, and may compact them.
            shutil.copytree(_blocks(self.scenario), folder / "data")
            self._url = cleanup.enter_context(_prometheus(folder, self._release))
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    # What was recorded

    def everything(self) -> list[Series]:
        """Return all that was recorded of the host."""
        return recorded(self.scenario).series

    def matching(self, name: str, **labels: str) -> list[Series]:
        """Return the recorded series of the host with this name and these labels."""
        return [each for each in self.everything() if each.name == name and labels.items() <= each.labels.items()]

    def series(self, name: str, **labels: str) -> list[tuple[float, float]]:
        """Return (seconds since the epoch, value) of the one series with this name and these labels."""
        found = self.matching(name, **labels)
        assert len(found) == 1, f"{len(found)} series are {name}{labels}"
        return found[0].points()

    def increase(self, name: str, span: Span = TOLD, **labels: str) -> float:
        """Return how much counters rose in a span, resets left out: all series with this name and these labels."""
        total = 0.0
        for each in self.matching(name, **labels):
            points = [value for at, value in each.points() if at in span]
            total += sum(now - before if now >= before else now for before, now in itertools.pairwise(points))
        return total


@lru_cache(maxsize=len(SCENARIOS))
def recorded(scenario: str) -> Recorder:
    """Return what was recorded of the host; it takes seconds, once in each process."""
    return history_scenarios.record(scenario)


@contextlib.contextmanager
def _prometheus(folder: Path, release: str) -> Iterator[str]:
    configuration = folder / "prometheus.yml"
    configuration.write_text(_CONFIGURATION)
    url = f"http://127.0.0.1:{free_port()}"
    with Program(
        [
            program("prometheus", release),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            # The blocks are of another time than now.
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address={url.removeprefix('http://')}",
        ],
        folder / "prometheus.log",
        ready=lambda: answers(f"{url}/-/ready"),
        seconds=40,
    ):
        yield url


def _blocks(scenario: str) -> Path:
    """Return the folder with the blocks of a scenario, made when it is first asked for."""
    folder = _CACHE / f"{scenario}-{_made_of()}"
    _CACHE.mkdir(parents=True, exist_ok=True)
    # Several test runs at once on one checkout.
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in _CACHE.glob(f"{scenario}-*"):
                shutil.rmtree(old)
            _make(scenario, folder)
    return folder


@lru_cache
def _made_of() -> str:
    here = Path(__file__).parent
    files = [*(here / f"{name}.py" for name in _MODULES)]
    digest = hashlib.sha256()
    for file in (*files, ROOT / "exporter/mailserver_exporter/settings/limits.py"):
        digest.update(file.read_bytes())
    digest.update(repr(_recording_rules()).encode())
    return digest.hexdigest()[:16]


def _recording_rules() -> list[list[dict[str, Any]]]:
    """Return the shipped rules but the alerts, of which the host says what fired: first those that need no other."""
    files = sorted((ROOT / "rules").glob("*.rules.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    rules = [rule for group in groups for rule in group["rules"] if "record" in rule]
    names = [rule["record"] for rule in rules]
    built = [rule for rule in rules if any(name in rule["expr"] for name in names)]
    return [[rule for rule in rules if rule not in built], built]


def _make(scenario: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="making-", dir=_CACHE) as temporary:
        made = Path(temporary) / "data"
        # What came before is the same for all scenarios, but for the first day, which has nothing before.
        if scenario == "first_day":
            made.mkdir()
        else:
            shutil.copytree(_before(Path(temporary)), made)
        _add([*recorded(scenario).series, *_other().series], TOLD, [Span(START, END)], made)
        made.rename(folder)


def _before(temporary: Path) -> Path:
    """Return the folder with the blocks of the days before the last one."""
    folder = _CACHE / f"before-{_made_of()}"
    if not folder.exists():
        for old in _CACHE.glob("before-*"):
            shutil.rmtree(old)
        made = temporary / "before"
        made.mkdir()
        _add(recorded("good").series, Span(0, START), _COMPARED, made)
        made.rename(folder)
    return folder


def _add(series: list[Series], span: Span, ruled: Sequence[Span], data: Path) -> None:
    """Add the blocks of a span to a folder, and of what the recording rules make of it."""
    samples = data.with_name("samples")
    with samples.open("w") as file:
        write(series, span, file)
    _create_blocks("openmetrics", str(samples), str(data))
    samples.unlink()
    for step in _recording_rules():
        _evaluate(step, ruled, data)


def _evaluate(rules: list[dict[str, Any]], spans: Iterable[Span], data: Path) -> None:
    """Add the blocks of recorded rules, which promtool asks a Prometheus about: it knows nothing of its own results."""
    with tempfile.TemporaryDirectory(prefix="ruling-", dir=data.parent) as temporary:
        folder = Path(temporary)
        shutil.copytree(data, folder / "data")
        file = folder / "recording.rules.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "recorded", "rules": rules}]}))
        with _prometheus(folder, "bookworm") as url:
            for span in spans:
                times = (f"--start={span.start:.0f}", f"--end={span.end:.0f}", "--eval-interval=60s")
                _create_blocks("rules", f"--url={url}", f"--output-dir={folder / 'ruled'}", *times, str(file))
        for block in (folder / "ruled").iterdir():
            block.rename(data / block.name)


def _create_blocks(*arguments: str) -> None:
    # One block: else promtool reads all samples again for every two hours.
    command = [program("promtool"), "tsdb", "create-blocks-from", "--max-block-duration=1000h", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def _other() -> Recorder:
    record = Recorder({"instance": OTHER, "job": JOB}, begin=START)
    record.gauge("up", 0, always=True)
    record.gauge("node_load1", 99)
    record.gauge("node_load5", 99)
    record.gauge("postfix_showq_queue_depth", 9999, queue="deferred")
    record.counter("mailserver_postfix_deliveries_total", 9, service="smtp", status="bounced")
    labels = {"alertname": "CpuUsageHigh", "alertstate": "firing", "severity": "critical", "collector": "cpu"}
    record.gauge("ALERTS", 1, always=True, **labels)
    return record
