"""Which metrics the exporter exposes: name, type, labels and help, in one committed file.

The file is what the README's table, the rules and the dashboards are held against. It is compared with a whole mail
host in tests/integration/test_exposition.py, and written anew by ``make golden``.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.support.exporter import Exporter
from tests.support.mailhost import MailHost
from tests.support.metrics import Exposition
from tests.support.processes import wait_for
from tests.support.tools import ROOT

FILE = ROOT / "tests" / "golden" / "metrics.tsv"

# What a machine or its kernel may not have; of everything else a whole mail host shows all.
MAY_BE_ABSENT = (
    "node_hwmon_",
    "node_thermal_",
    "node_pressure_",
    "node_cpu_guest_",
    "node_network_speed_bytes",
    "node_nf_conntrack_",
    "node_memory_",
    "node_disk_",
    "node_vmstat_",
    "node_os_",
    "container_pressure_",
    "container_memory_",
    "container_cpu_",
    "container_spec_",
    "process_",
)


@dataclass(frozen=True, order=True)
class Family:
    """What is the same of a metric on every machine."""

    name: str
    kind: str
    labels: str
    help: str

    def line(self) -> str:
        """Return the family as a line of the file."""
        return "\t".join((self.name, self.kind, self.labels, self.help))


def families(exposition: Exposition) -> list[Family]:
    """Return the families of an exposition."""
    found = []
    for family in exposition.families.values():
        labels = sorted({name for sample in family.samples for name in sample.labels} - {"le"})
        name = family.name + ("_total" if family.type == "counter" else "")
        found.append(Family(name, family.type, ",".join(labels), family.documentation))
    return sorted(found)


def committed() -> list[Family]:
    """Return what the file says."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return [Family(*line.split("\t")) for line in lines if line and not line.startswith("#")]


def whole(host: MailHost, folder: Path) -> Exposition:
    """Return the exposition of a host on which every collector has something to measure."""
    settings = {**host.settings(), "filesystem": {}}
    with Exporter(folder, yaml.safe_dump(settings)) as exporter:
        assert isinstance(exporter, Exporter)

        def complete() -> Exposition | None:
            found = exporter.scrape()
            good = {s.labels["collector"] for s in found.all("mailserver_collector_success") if s.value == 1}
            bad = [s.labels["collector"] for s in found.all("mailserver_collector_success") if s.value == 0]
            wanted = {"containers", "queue", "ports", "fail2ban", "vmail", "top", "dns", "blocklists"} <= good
            late = ("mailserver_top_cpu_usage_ratio", "mailserver_backup_readable")
            return found if wanted and not bad and all(map(found.all, late)) else None

        found = wait_for("every collector has measured", complete, 60, pause=1)
        assert isinstance(found, Exposition)
        return found


def main() -> int:
    """Write the file; what this machine does not have is kept as it was."""
    with MailHost() as host, tempfile.TemporaryDirectory() as folder:
        new = {family.name: family for family in families(whole(host, Path(folder)))}
    for family in committed() if FILE.exists() else ():
        if family.name not in new and family.name.startswith(MAY_BE_ABSENT):
            new[family.name] = family
    FILE.parent.mkdir(exist_ok=True)
    head = "# name, type, labels, help; written by `make golden`, checked by tests/integration/test_exposition.py\n"
    FILE.write_text(head + "".join(family.line() + "\n" for family in sorted(new.values())), encoding="utf-8")
    print(f"written: {FILE} ({len(new)} metrics)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
