#!/usr/bin/env python3
"""Write the dashboards as JSON (`make generate`); with --check say whether the committed ones are current.

The classic model is written, which Grafana 10 to 13 import and provision. The data source is a variable, because
provisioning does not fill in the ``__inputs`` of a file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from care import care
from mail import mail
from overview import overview
from security import security

FOLDER = Path(__file__).resolve().parent / "dashboards"
DASHBOARDS = {"overview.json": overview, "mail.json": mail, "security.json": security, "care.json": care}


def render() -> dict[str, str]:
    """Return the content of each file by its name."""
    return {name: _json(build().build()) for name, build in DASHBOARDS.items()}


def _json(dashboard: Any) -> str:
    content = json.loads(JSONEncoder(sort_keys=True).encode(dashboard))
    _number(content["panels"])
    for link in content["links"]:
        # The SDK knows only one, a menu that older versions do not have; without, links stand above the panels.
        del link["placement"]
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _number(panels: list[dict[str, Any]]) -> None:
    """Give every panel the id that the SDK leaves out; links to a single panel need it."""
    for position, panel in enumerate(panels, 1):
        panel["id"] = position


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if a file is not current")
    check = parser.parse_args().check
    stale = []
    for name, content in render().items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            stale.append(name)
            if not check:
                path.write_text(content, encoding="utf-8")
                print(f"written: {path}")
    if check and stale:
        print(f"not current, run make generate: {', '.join(stale)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
