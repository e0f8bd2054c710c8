"""Draw one panel as Grafana would: from its JSON and its series to HTML of a given size."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from picture_data import Series, Span
from picture_units import text

COLORS = {
    "green": "#73bf69",
    "red": "#f2495c",
    "orange": "#ff9830",
    "yellow": "#fade2a",
    "blue": "#5794f2",
    "grid": "#2a2c31",
    "faint": "#8e8e99",
    "text": "#ccccdc",
}
PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a")
_SMALL = 11

Panel = Mapping[str, Any]


def draw(panel: Panel, series: Sequence[Series], span: Span, width: int, height: int) -> str:
    """Return the inside of a panel; raises LookupError for a kind of panel that no dashboard has used before."""
    over_time = {"stat": _stat, "timeseries": _timeseries, "state-timeline": _states}
    now = {"bargauge": _bars, "table": _table}
    if not series:
        return _svg(
            width, height, [_label(width / 2, height / 2, _defaults(panel).get("noValue", "No data"), "middle")]
        )
    if panel["type"] in over_time:
        return over_time[panel["type"]](panel, series, span, width, height)
    return now[panel["type"]](panel, series, width, height)


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return f'<svg width="{width:.0f}" height="{height:.0f}">{"".join(parts)}</svg>'


def _label(x: float, y: float, what: str, anchor: str, *, color: str = COLORS["faint"], size: float = _SMALL) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{color}" font-size="{size:g}">{escape(what)}</text>'


def _defaults(panel: Panel) -> Mapping[str, Any]:
    found: Mapping[str, Any] = panel["fieldConfig"]["defaults"]
    return found


# One number


def _stat(panel: Panel, series: Sequence[Series], span: Span, width: int, height: int) -> str:
    [one] = series
    defaults = _defaults(panel)
    color = COLORS[_step(defaults["thresholds"]["steps"], one.last)]
    filled = panel["options"]["colorMode"] == "background"
    shown = text(one.last, defaults["unit"])
    size = min(44, 1.55 * width / max(len(shown), 4))
    parts = [f'<rect width="{width}" height="{height}" fill="{color}" opacity="0.85" rx="2"/>'] if filled else []
    top = max(value for _, value in one.points) or 1
    course = [(_x(when, span, width), height - 2 - value / top * height * 0.3) for when, value in one.points]
    if len(course) > 1:
        line, fill = ("#ffffff", "#ffffff") if filled else (color, color)
        parts.append(f'<path d="{_area(course, height)}" fill="{fill}" opacity="0.18"/>')
        parts.append(f'<path d="{_path(course)}" fill="none" stroke="{line}" stroke-opacity="0.6"/>')
    parts.append(_label(width / 2, height * 0.47, shown, "middle", color="#ffffff" if filled else color, size=size))
    return _svg(width, height, parts)


def _step(steps: Sequence[Mapping[str, Any]], value: float) -> str:
    return [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]


# Courses over time


def _timeseries(panel: Panel, series: Sequence[Series], span: Span, width: int, height: int) -> str:
    defaults = _defaults(panel)
    unit = defaults["unit"]
    styles = [_style(panel, one, position) for position, one in enumerate(series)]
    courses = _stacked(series, styles)
    highest = max(value for course in courses for _, _, value in course)
    ticks = _ticks(defaults.get("max", highest), 3600 if unit == "s" and highest > 7200 else 1)
    top = defaults.get("max", max(ticks[-1], highest * 1.02))
    legend, legend_height = _legend(series, styles, width)
    labels = [text(tick, unit) for tick in ticks]
    left, bottom = 14 + 6.2 * max(map(len, labels)), height - legend_height - 20
    plot_width = width - left - 8

    def place(when: float, value: float) -> tuple[float, float]:
        return left + _x(when, span, plot_width), bottom - min(value / top, 1) * (bottom - 6)

    parts = []
    for tick, label in zip(ticks, labels, strict=True):
        y = place(span.start, tick)[1]
        parts.append(f'<path d="M{left:.1f} {y:.1f}H{width - 8}" stroke="{COLORS["grid"]}"/>')
        parts.append(_label(left - 6, y + 4, label, "end"))
    parts += _times(span, left, plot_width, bottom)
    for course, style in zip(courses, styles, strict=True):
        for piece in _pieces(course, span.step):
            line = [place(when, value) for when, _, value in piece]
            if style["fillOpacity"]:
                floor = [place(when, base) for when, base, _ in reversed(piece)]
                opacity = style["fillOpacity"] / 100
                parts.append(f'<path d="{_path([*line, *floor])}Z" fill="{style["color"]}" opacity="{opacity}"/>')
            dashes = f' stroke-dasharray="{" ".join(map(str, style["dash"]))}"' if style["dash"] else ""
            parts.append(f'<path d="{_path(line)}" fill="none" stroke="{style["color"]}" stroke-width="1.3"{dashes}/>')
    return _svg(width, height - legend_height, parts) + legend


def _style(panel: Panel, one: Series, position: int) -> dict[str, Any]:
    """Return colour, filling, dashes and stacking of a series: the panel's, unless an override names the series."""
    custom = _defaults(panel).get("custom", {})
    style = {
        "color": PALETTE[position % len(PALETTE)],
        "fillOpacity": custom.get("fillOpacity", 0),
        "dash": (),
        "stacked": custom.get("stacking", {}).get("mode") == "normal",
    }
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] != {"id": "byName", "options": one.name}:
            continue
        given = {entry["id"]: entry["value"] for entry in override["properties"]}
        style["color"] = COLORS[given["color"]["fixedColor"]]
        style["dash"] = given["custom.lineStyle"]["dash"]
        style["fillOpacity"] = given["custom.fillOpacity"]
        style["stacked"] = given["custom.stacking"]["mode"] == "normal"
    return style


def _stacked(series: Sequence[Series], styles: Sequence[Mapping[str, Any]]) -> list[list[tuple[float, float, float]]]:
    """Return (time, from, to) of each series, those that are stacked one on the other."""
    heights: dict[float, float] = {}
    courses = []
    for one, style in zip(series, styles, strict=True):
        course = []
        for when, value in one.points:
            base = heights.get(when, 0.0) if style["stacked"] else 0.0
            course.append((when, base, base + value))
            if style["stacked"]:
                heights[when] = base + value
        courses.append(course)
    return courses


def _pieces(course: Sequence[tuple[float, float, float]], step: float) -> list[list[tuple[float, float, float]]]:
    """Split a course where a point is missing: Grafana does not draw a line over what was not measured."""
    pieces: list[list[tuple[float, float, float]]] = []
    for point in course:
        if not pieces or point[0] - pieces[-1][-1][0] > 1.5 * step:
            pieces.append([])
        pieces[-1].append(point)
    return pieces


def _legend(series: Sequence[Series], styles: Sequence[Mapping[str, Any]], width: int) -> tuple[str, int]:
    entries, rows, used = [], 1, 0.0
    for one, style in zip(series, styles, strict=True):
        needed = 34 + 6.4 * len(one.name)
        if used + needed > width and used:
            rows, used = rows + 1, 0.0
        used += needed
        entries.append(f'<span><i style="background:{style["color"]}"></i>{escape(one.name)}</span>')
    rows = min(rows, 3)  # Grafana's legend scrolls
    return f'<div class="legend" style="height:{rows * 18}px">{"".join(entries)}</div>', rows * 18


def _ticks(highest: float, one: float = 1) -> list[float]:
    """Return round numbers from 0 to about ``highest``, as multiples of ``one``."""
    if highest <= 0:
        return [0.0, one]
    rough = highest / one / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = one * next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [round(step * number, 10) for number in range(math.floor(highest / step * 1.0001) + 1)]


def _times(span: Span, left: float, width: float, bottom: float) -> list[str]:
    wanted = (span.end - span.start) / max(3, width // 90)
    step = next(s for s in (15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400) if s >= wanted or s == 86_400)
    form = "%H:%M:%S" if step < 60 else "%H:%M"
    parts = []
    for when in range(math.ceil(span.start / step) * step, int(span.end) + 1, step):
        x = left + _x(when, span, width)
        parts.append(f'<path d="M{x:.1f} 4V{bottom:.1f}" stroke="{COLORS["grid"]}" stroke-opacity="0.6"/>')
        parts.append(_label(x, bottom + 15, time.strftime(form, time.gmtime(when)), "middle"))
    return parts


def _x(when: float, span: Span, width: float) -> float:
    return (when - span.start) / (span.end - span.start) * width


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _area(points: Sequence[tuple[float, float]], floor: float) -> str:
    return f"{_path(points)}V{floor}H{points[0][0]:.1f}Z"


# States, bars and tables


def _states(panel: Panel, series: Sequence[Series], span: Span, width: int, height: int) -> str:
    words = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    left, bottom = 14 + 6.4 * max(len(one.name) for one in series), height - 20
    row = (bottom - 2) / len(series)
    thick = row * panel["options"]["rowHeight"]
    plot_width = width - left - 8
    parts = _times(span, left, plot_width, bottom)
    for position, one in enumerate(series):
        y = row * position + (row - thick) / 2 + 2
        parts.append(_label(left - 8, y + thick / 2 + 4, one.name, "end"))
        for start, until, value in _runs(one.points, span):
            begin, end = _x(start, span, plot_width), _x(until, span, plot_width)
            color = COLORS[words[f"{value:g}"]["color"]]
            parts.append(
                f'<rect x="{left + begin:.1f}" y="{y:.1f}" width="{end - begin:.1f}" height="{thick:.1f}" '
                f'fill="{color}" opacity="0.7"/>'
            )
    return _svg(width, height, parts)


def _runs(points: Sequence[tuple[float, float]], span: Span) -> list[tuple[float, float, float]]:
    """Return (from, until, value) of each stretch of time in which a value stays the same and is measured."""
    runs: list[tuple[float, float, float]] = []
    for when, value in points:
        until = min(when + span.step, span.end)
        if runs and runs[-1][2] == value and when - runs[-1][1] < 1:
            runs[-1] = (runs[-1][0], until, value)
        else:
            runs.append((when, until, value))
    return runs


def _bars(panel: Panel, series: Sequence[Series], width: int, height: int) -> str:
    defaults = _defaults(panel)
    color = COLORS[defaults["thresholds"]["steps"][0]["color"]]
    top = max(one.last for one in series) or 1
    shown = [text(one.last, defaults["unit"]) for one in series]
    left, right = 14 + 6.6 * max(len(one.name) for one in series), 22 + 7.5 * max(map(len, shown))
    row = min(56.0, height / len(series))
    thick, full = row * 0.72, width - left - right
    parts = []
    for position, (one, value) in enumerate(zip(series, shown, strict=True)):
        y = row * position + (row - thick) / 2
        parts.append(_label(left - 8, y + thick / 2 + 4, one.name, "end", color=COLORS["text"]))
        for wide, opacity in ((full, 0.08), (one.last / top * full, 0.8)):
            fill = color if opacity > 0.5 else COLORS["text"]
            parts.append(
                f'<rect x="{left:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{thick:.1f}" fill="{fill}" '
                f'opacity="{opacity}" rx="2"/>'
            )
        parts.append(_label(width - 10, y + thick / 2 + 5, value, "end", color=color, size=14))
    return _svg(width, height, parts)


def _table(panel: Panel, series: Sequence[Series], _width: int, height: int) -> str:
    options = {transformation["id"]: transformation["options"] for transformation in panel["transformations"]}
    wanted = options["filterFieldsByName"]["include"]["names"]
    order, names = options["organize"]["indexByName"], options["organize"]["renameByName"]
    columns = sorted((n for n in wanted if any(n in one.labels for one in series)), key=lambda name: order[name])
    head = "".join(f"<th>{escape(names[column])}</th>" for column in columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(one.labels.get(column, ''))}</td>" for column in columns) + "</tr>"
        for one in series
    )
    return f'<div style="height:{height}px;overflow:hidden"><table><tr>{head}</tr>{rows}</table></div>'
