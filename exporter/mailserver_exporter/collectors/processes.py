"""How many processes there are, in which states, and who leaves zombies behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from mailserver_exporter.collectors.base import Collector, Context, Detection, Schedule
from mailserver_exporter.sources import files, kernel
from mailserver_exporter.sources.processes import STATES, Process

MAX_PARENTS = 10
OTHER = "other"


class ProcessesCollector(Collector):
    """Processes, as `ps -e -o state=,ppid=,comm=` shows them.

    node_processes_state{state="S"} 61
    node_processes_state{state="Z"} 2
    node_processes_pids 101
    node_processes_threads 171
    node_processes_max_processes 4194304
    node_processes_max_threads 31453
    mailserver_zombie_processes{parent="watchdog.sh"} 2
    mailserver_zombie_processes{parent="other"} 0

    A parent that had zombies stays with 0 as long as there is room for its name; ``other`` is always there.
    """

    name = "processes"
    # A scan costs more than a scrape has to give. `top` runs at the same pace: whoever comes second takes the scan of
    # the first, so that there is one scan per period, and no number is older than 25 s.
    schedule = Schedule(every=15, deadline=10)
    max_age = 10.0

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._table = context.process_table
        self._parents: tuple[str, ...] = ()
        self._count = 0

    def detect(self) -> Detection:
        """Say whether the processes of all users can be seen."""
        if self._table.is_complete():
            return Detection(True, "the processes of all users")
        return Detection(
            False, f"{self._table.proc} is mounted with hidepid, run the exporter as root to see all processes"
        )

    def found(self) -> str:
        """Say how many there are."""
        return f"{self._count} processes of all users"

    def collect(self) -> Iterator[Metric]:
        """Yield the counts."""
        processes = self._table.snapshot(self.max_age).processes
        found = Counter(process.state for process in processes.values())
        self._count = len(processes)
        states = GaugeMetricFamily("node_processes_state", "Number of processes in each state.", labels=["state"])
        for state in (*STATES, *sorted(found.keys() - set(STATES))):
            states.add_metric([state], found[state])
        yield states
        yield GaugeMetricFamily("node_processes_pids", "Number of PIDs", len(processes))
        yield GaugeMetricFamily(
            "node_processes_threads",
            "Allocated threads in system",
            sum(process.threads for process in processes.values()),
        )
        yield GaugeMetricFamily("node_processes_max_processes", "Number of max PIDs limit", self._kernel("pid_max"))
        yield GaugeMetricFamily(
            "node_processes_max_threads", "Limit of threads in the system", self._kernel("threads-max")
        )
        yield self._zombies(processes)

    def _kernel(self, name: str) -> int:
        return kernel.number(files.read(self.context.host.proc(f"sys/kernel/{name}")), name)

    def _zombies(self, processes: Mapping[int, Process]) -> Metric:
        family = GaugeMetricFamily(
            "mailserver_zombie_processes",
            "Ended processes that their parent has not waited for, by the parent's name; of at most ten parents.",
            labels=["parent"],
        )
        parents = Counter(
            processes[process.parent].name if process.parent in processes else OTHER
            for process in processes.values()
            if process.zombie
        )
        others = parents.pop(OTHER, 0)
        shown = dict(parents.most_common(MAX_PARENTS))
        others += parents.total() - sum(shown.values())
        for parent in self._parents:
            if len(shown) < MAX_PARENTS:
                shown.setdefault(parent, 0)
        self._parents = tuple(shown)
        for parent, count in {**shown, OTHER: others}.items():
            family.add_metric([parent], count)
        return family
