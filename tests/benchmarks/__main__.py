"""``make bench``: measure again what the README says. ``make bench ARGS="cost"`` measures one part."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import cost, logs, memory, report, scaling, speed
from tests.benchmarks.figures import machine
from tests.support import everything
from tests.support.mailhost import MailHost

# With a mail host, which takes a while to start, and without.
ON_A_HOST = {"cost": cost.measure, "memory": memory.measure, "scaling": scaling.measure, "speed": speed.measure}
ALONE = {"logs": logs.measure, "report": report.measure}
PARTS = [*ON_A_HOST, *ALONE]


def main() -> int:
    """Measure and print; exit status 1 when a budget or promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one or more of {', '.join(PARTS)} (default: all)")
    parts = parser.parse_args().parts or list(PARTS)
    for unknown in set(parts) - set(PARTS):
        parser.error(f"{unknown!r} is not one of {', '.join(PARTS)}")
    if names := everything.needed():
        everything.install(names)
    print(f"measured {machine()}")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folders = {part: Path(name) / part for part in parts}
        for folder in folders.values():
            folder.mkdir()
        results = [ALONE[part](folder) for part, folder in folders.items() if part in ALONE]
        if any(part in ON_A_HOST for part in parts):
            with MailHost() as host:
                results += [ON_A_HOST[part](host, folder) for part, folder in folders.items() if part in ON_A_HOST]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
