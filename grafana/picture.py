#!/usr/bin/env python3
"""Draw a dashboard with what a Prometheus has measured, as a PNG.

This is not Grafana: it asks the panels' own queries, and draws the answers in the dashboard's own layout and with its
own colours and units, so that there is a picture where no Grafana can run. Needs Chromium (Debian's package
``chromium``) on the PATH. ``python -m tests.support.scene`` uses it for the picture in the README.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from picture_data import QueryError, Source, Span
from picture_panels import draw

DASHBOARD = Path(__file__).resolve().parent / "dashboards" / "overview.json"
PICTURE = Path(__file__).resolve().parent / "overview.png"

WIDTH = 1400
_MARGIN, _GAP, _COLUMNS, _ROW, _HEAD, _TITLE = 16, 8, 24, 38, 52, 30

_STYLE = """
* { box-sizing: border-box; margin: 0; padding: 0 }
body { position: relative; background: #111217; color: #ccccdc; font: 12px Inter, "DejaVu Sans", sans-serif }
header { height: 52px; padding: 17px 18px; font-size: 15px; display: flex; gap: 14px }
header b { font-weight: 600; flex: 1 }
header span { color: #8e8e99; font-size: 12px; padding-top: 2px }
section { position: absolute; background: #181b1f; border: 1px solid #25272c; border-radius: 3px; overflow: hidden }
section h2 { font-size: 12.5px; font-weight: 500; padding: 7px 10px; height: 30px; white-space: nowrap }
h1 { position: absolute; font-size: 14px; font-weight: 500; padding: 7px 2px }
h1::before { content: "\\2304"; padding-right: 8px; position: relative; top: -3px }
svg { display: block }
.legend { overflow: hidden; padding: 0 10px; font-size: 11px; line-height: 18px }
.legend span { margin-right: 14px; white-space: nowrap; display: inline-block }
.legend i { display: inline-block; width: 13px; height: 3px; margin-right: 6px; vertical-align: 3px }
table { width: 100%; border-collapse: collapse }
td, th { text-align: left; padding: 5px 10px; height: 27px; font-weight: 400 }
th { color: #6e9fff; font-weight: 500 }
td { border-top: 1px solid #25272c }
"""


def page(dashboard: Mapping[str, Any], source: Source, span: Span) -> tuple[str, int]:
    """Return a dashboard as HTML, and its height in pixels; raises QueryError, and OSError where nobody answers."""
    column = (WIDTH - 2 * _MARGIN + _GAP) / _COLUMNS
    parts, bottom = [], 0
    for panel in dashboard["panels"]:
        grid = panel["gridPos"]
        left, top = round(_MARGIN + grid["x"] * column), _HEAD + grid["y"] * _ROW
        width, height = round(grid["w"] * column) - _GAP, grid["h"] * _ROW - _GAP
        bottom = max(bottom, top + height)
        place = f"left:{left}px;top:{top}px;width:{width}px;height:{height}px"
        title = escape(panel["title"])
        if panel["type"] == "row":
            parts.append(f'<h1 style="{place}">{title}</h1>')
            continue
        inside = draw(panel, source.panel(panel, span), span, width - 2, height - _TITLE - 4)
        parts.append(f'<section style="{place}"><h2>{title}</h2>{inside}</section>')
    clock = [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(when)) for when in (span.start, span.end)]
    head = (
        f"<header><b>{escape(dashboard['title'])}</b><span>Host: {escape(', '.join(source.hosts))}</span>"
        f"<span>{clock[0]} to {clock[1].split()[1]} UTC</span></header>"
    )
    body = f'<body style="width:{WIDTH}px;height:{bottom + _MARGIN}px">{head}{"".join(parts)}</body>'
    return f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style>{body}', bottom + _MARGIN


def photograph(html: str, height: int, picture: Path) -> None:
    """Write HTML as a PNG; raises FileNotFoundError without Chromium, CalledProcessError when it fails."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise FileNotFoundError("chromium is not on the PATH: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="picture-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "page.html"
        file.write_text(html, encoding="utf-8")
        command = [
            *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"),
            *("--force-device-scale-factor=1", f"--window-size={WIDTH},{height}", f"--user-data-dir={folder}/profile"),
            *(f"--screenshot={picture.resolve()}", file.as_uri()),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> int:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prometheus.url", dest="url", default="http://127.0.0.1:9090", metavar="URL")
    parser.add_argument("--dashboard", type=Path, default=DASHBOARD, metavar="FILE")
    parser.add_argument("--output", type=Path, default=PICTURE, metavar="FILE")
    parser.add_argument("--minutes", type=float, default=360, metavar="N", help="how far back to look (default 360)")
    options = parser.parse_args()
    end = int(time.time())
    try:
        span = Span(end - options.minutes * 60, end)
        dashboard = json.loads(options.dashboard.read_text(encoding="utf-8"))
        photograph(*page(dashboard, Source(options.url), span), options.output)
    except (OSError, QueryError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"written: {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
