"""What is drawn of a chart's lines: what belongs to the period and is known, and no more of it than can be seen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailserver_exporter.report.axes import Scale, scale
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Chart, Limit, Line
from mailserver_exporter.report.period import Period

# Told apart by who is blind to red, green or blue as well, see the test.
INKS = ("#0068B5", "#D07A00", "#009E73", "#C2649A", "#4DAEEA", "#30343B")
FAINT = ("#A9B0BB", "#CBD0D8")
LIMITS = {"warning": "#B26A00", "critical": "#C5221F"}

_COLUMNS = 960
_MOST_LIMITS = 4
_LARGEST, _SMALLEST = 1e300, 1e-9
_Point = tuple[float, float]


@dataclass(frozen=True)
class Stroke:
    """One line: its points in order, in pieces between which nothing is known."""

    label: str
    ink: str
    faint: bool
    pieces: tuple[tuple[_Point, ...], ...]

    @property
    def points(self) -> list[_Point]:
        """All of them."""
        return [point for piece in self.pieces for point in piece]


@dataclass(frozen=True)
class Bar:
    """One colour of one bar: what is counted in the step that ends at ``end``."""

    end: float
    bottom: float
    top: float
    ink: str


def strokes(chart: Chart, period: Period) -> list[Stroke]:
    """Return a stroke for each line that has an ink of its own, in their order: the faint ones have theirs."""
    found = []
    for shades, lines in ((INKS, False), (FAINT, True)):
        for ink, line in zip(shades, (line for line in chart.lines if line.faint is lines), strict=False):
            found.append(Stroke(line.label, ink, line.faint, tuple(_pieces(line, chart.step, period))))
    return found


def _pieces(line: Line, step: float, period: Period) -> Iterator[tuple[_Point, ...]]:
    start, end = period.start.timestamp(), period.end.timestamp()
    piece: list[_Point] = []
    for at, value in sorted(point for point in line.points if start <= point[0] <= end):
        known = math.isfinite(value)
        if piece and (not known or at - piece[-1][0] > step * 1.5 > 0):
            yield _thinned(piece, start, end)
            piece = []
        if known:
            piece.append((at, 0.0 if abs(value) < _SMALLEST else max(-_LARGEST, min(_LARGEST, value))))
    if piece:
        yield _thinned(piece, start, end)


def _thinned(piece: Sequence[_Point], start: float, end: float) -> tuple[_Point, ...]:
    """Return first, lowest, highest and last point of each column of pixels: they are drawn as all would be."""
    columns: dict[int, list[_Point]] = {}
    for point in piece:
        columns.setdefault(int((point[0] - start) / max(end - start, 1.0) * _COLUMNS), []).append(point)
    kept: set[_Point] = set()
    for points in columns.values():
        kept |= {points[0], points[-1], min(points, key=_value), max(points, key=_value)}
    return tuple(sorted(kept))


def _value(point: _Point) -> float:
    return point[1]


def bars(lines: Sequence[Stroke]) -> list[Bar]:
    """Return the bars of all lines that are not faint; counts of one step stand on each other."""
    heights: dict[float, float] = {}
    found = []
    for stroke in lines:
        for at, value in () if stroke.faint else stroke.points:
            bottom = heights.get(at, 0.0)
            heights[at] = min(bottom + max(value, 0.0), _LARGEST)
            found.append(Bar(at, bottom, heights[at], stroke.ink))
    return found


def limits(chart: Chart) -> list[Limit]:
    """Return the limits that can be drawn."""
    drawable = [limit for limit in chart.limits if limit.severity in LIMITS and 0 <= limit.value <= _LARGEST]
    return drawable[:_MOST_LIMITS]


def value_axis(chart: Chart, lines: Sequence[Stroke], say: Language) -> Scale | None:
    """Return the axis that has all values and the limits near them; None where no value is known."""
    values = [value for stroke in lines if stroke.faint or not chart.bars for _, value in stroke.points]
    if chart.bars:
        values += [bar.top for bar in bars(lines)]
    if not values:
        return None
    low, high = min(values), max(values)
    # A limit far above everything would flatten what there is to see; of a ratio one knows that it ends at 1.
    far = max(high * 5, 1.0) if chart.unit == "ratio" else high * 5
    high = max([high, *(limit.value for limit in limits(chart) if limit.value <= far)])
    whole = chart.unit == "count" and all(value == int(value) for value in values)
    return scale(chart.unit, low, high, whole=whole, say=say)
