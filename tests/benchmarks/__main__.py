"""``make bench``: measure again what the README says. ``make bench ARGS="cost"`` measures one part."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import cost, scaling, speed
from tests.benchmarks.figures import machine
from tests.support import everything
from tests.support.mailhost import MailHost

PARTS = {"cost": cost.measure, "scaling": scaling.measure, "speed": speed.measure}


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
    with MailHost() as host, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        results = [PARTS[part](host, Path(folder) / part) for part in parts if not (Path(folder) / part).mkdir()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
