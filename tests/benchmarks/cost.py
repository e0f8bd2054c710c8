"""Memory and CPU of the exporter with everything on, beside node_exporter and blackbox_exporter for the same share."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from tests.benchmarks import peers
from tests.benchmarks.figures import MIB, Series, cpu_seconds, rss_bytes, table, timed
from tests.support.docker_engine import IMAGE
from tests.support.exporter import Exporter
from tests.support.mailhost import MailHost

CONTAINERS = 19
SCRAPES = 12
INTERVAL = 10.0
MAX_RSS = 40 * MIB


def add_containers(host: MailHost, wanted: int) -> None:
    """Start containers until there are as many as wanted."""
    client = host.docker.client()
    for number in range(len(client.containers.list(all=True)), wanted):
        client.containers.run(IMAGE, ["sleep", "100000"], name=f"more-{number}", detach=True)


def measure(host: MailHost, folder: Path) -> bool:
    """Print the table; return whether the budget holds."""
    add_containers(host, CONTAINERS)
    settings = host.settings()
    with (
        # The environment is what the image and `make run` give it.
        Exporter(
            folder / "exporter",
            yaml.safe_dump({**settings, "filesystem": {}}),
            environment={"MALLOC_ARENA_MAX": "1"},
        ) as exporter,
        peers.node_exporter(folder, "--collector.processes") as (node, node_url),
        peers.node_exporter(folder) as (plain, plain_url),
        peers.blackbox_exporter(folder, settings["ports"]["targets"]) as (blackbox, probe_urls),
    ):
        assert isinstance(exporter, Exporter)
        url = f"{exporter.url}/metrics"
        work = {
            "mailserver-exporter": (exporter, lambda: peers.get(url)),
            "node_exporter": (node, lambda: peers.get(node_url)),
            "node_exporter without processes": (plain, lambda: peers.get(plain_url)),
            "blackbox_exporter": (blackbox, lambda: [peers.get(probe) for probe in probe_urls]),
        }
        for _, scrape in work.values():
            scrape()
        time.sleep(5)
        for _, scrape in work.values():
            scrape()
        before = {name: cpu_seconds(process.pid) for name, (process, _) in work.items()}
        scrapes = {name: (Series(), Series()) for name in work}
        started = time.monotonic()
        for number in range(SCRAPES):
            for name, (process, scrape) in work.items():
                seconds, cpu = timed(process.pid, scrape)
                scrapes[name][0].values.append(seconds)
                scrapes[name][1].values.append(cpu)
            time.sleep(max(0.0, started + (number + 1) * INTERVAL - time.monotonic()))
        whole = {name: (cpu_seconds(process.pid) - before[name]) / SCRAPES for name, (process, _) in work.items()}
        rss = {name: rss_bytes(process.pid) for name, (process, _) in work.items()}
        series = {name: text.count("\n") for name, text in (("mailserver-exporter", peers.get(url)),)}
    rows = [
        [
            name,
            f"{rss[name] / MIB:.1f} MiB",
            f"{scrapes[name][1].median * 1000:.1f} ms",
            f"{scrapes[name][0].median * 1000:.0f} ms",
            f"{whole[name] * 1000:.1f} ms",
        ]
        for name in work
    ]
    pair = ("node_exporter", "blackbox_exporter")
    rows.append(
        [
            "node_exporter and blackbox_exporter",
            f"{sum(rss[name] for name in pair) / MIB:.1f} MiB",
            f"{sum(scrapes[name][1].median for name in pair) * 1000:.1f} ms",
            f"{sum(scrapes[name][0].median for name in pair) * 1000:.0f} ms",
            f"{sum(whole[name] for name in pair) * 1000:.1f} ms",
        ]
    )
    table(
        f"Memory and CPU, {CONTAINERS} containers, 9 ports, a scrape every {INTERVAL:g} s, median of {SCRAPES}",
        ["", "RSS", "CPU of a scrape", "time of a scrape", f"CPU per {INTERVAL:g} s, background included"],
        rows,
    )
    print(f"lines in our exposition: {series['mailserver-exporter']}")
    # The harder comparison: without processes, which we count, node_exporter costs less than half.
    ours, nodes = scrapes["mailserver-exporter"][1].median, scrapes["node_exporter without processes"][1].median
    good = rss["mailserver-exporter"] < MAX_RSS and ours <= nodes
    print(f"budget: RSS under 40 MiB, a scrape's CPU no more than node_exporter's own: {'holds' if good else 'BROKEN'}")
    return good
