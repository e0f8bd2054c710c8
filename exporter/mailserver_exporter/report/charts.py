"""Draw a chart as a PNG that is legible on a phone, with Pillow: lines or bars, their limits, a legend above them.

Mail programs show no SVG. The picture has a light card of its own, so that it can be read on a dark page, too.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageColor, ImageDraw

from mailserver_exporter.report.axes import amount, times
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.lettering import fitted, font
from mailserver_exporter.report.model import Chart, Limit
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.strokes import FAINT, INKS, LIMITS, Stroke, bars, limits, strokes, value_axis

SIZE = (840, 420)
"""Pixels: on a page of 360 the letters are 11 pixels high."""

CARD, GRID, AXIS, TEXT, TITLE = "#F7F8FA", "#DFE3E9", "#9AA1AC", "#4A515C", "#20242B"

_FINE = 3
"""All but the letters is drawn this many times as large and made smaller then, which smooths it."""
# How much of an ink there is at its edges, and below a line: no more, so that the file is small.
_SHADES = (1 / 3, 2 / 3, 1.0)
_TINT = 0.15
_MARGIN, _ROW, _MOST_ROWS = 20, 38, 3
_TITLE_SIZE, _TEXT_SIZE = 31, 28
_TIMES = 7
_SWATCH = 42
_Entry = tuple[str, str, bool]
"""Of a legend: its text, its ink, and whether it is dashed."""


def png(chart: Chart, period: Period, say: Language) -> bytes:
    """Return the picture of a chart over a period: the same for the same input. Values are told as ``say`` does."""
    return _Picture(chart, period, say).drawn()


class _Picture:
    def __init__(self, chart: Chart, period: Period, say: Language) -> None:
        self.chart, self.period, self.say = chart, period, say
        self.letters = font(_TEXT_SIZE)
        self.strokes = strokes(chart, period)
        self.scale = value_axis(chart, self.strokes, say)
        self.legend = self._legend()
        self.times = times(period, _TIMES, say)
        named = [self.letters.getlength(text) for _, text in self.scale.ticks] if self.scale else [0]
        left = min(_MARGIN + round(max(named)) + 14, SIZE[0] // 2)
        top = _MARGIN + 48 + len(self.legend) * _ROW + _TEXT_SIZE // 2
        self.box = (left, top, SIZE[0] - _MARGIN - 20, SIZE[1] - _MARGIN - _TEXT_SIZE - 10)

    def drawn(self) -> bytes:
        image = Image.new("RGB", (SIZE[0] * _FINE, SIZE[1] * _FINE), CARD)
        draw = ImageDraw.Draw(image)
        self._draw_area(draw)
        self._draw_grid(draw)
        if self.scale is not None:
            if self.chart.bars:
                self._draw_bars(draw)
            for stroke in sorted(self.strokes, key=lambda stroke: not stroke.faint):
                if stroke.faint or not self.chart.bars:
                    self._draw_line(draw, stroke)
            self._draw_limits(draw)
        small = image.reduce(_FINE)
        self._write(ImageDraw.Draw(small))
        file = io.BytesIO()
        small.quantize(palette=_palette(), dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        return file.getvalue()

    # Where things are, in fine pixels

    def _x(self, at: float) -> float:
        left, _, right, _ = self.box
        start = self.period.start.timestamp()
        return (left + (at - start) / max(self.period.seconds, 1.0) * (right - left)) * _FINE

    def _y(self, value: float) -> float:
        assert self.scale is not None  # noqa: S101 - nothing is drawn without
        _, top, _, bottom = self.box
        low, high = self.scale.low, self.scale.high
        return (bottom - (value - low) / (high - low) * (bottom - top)) * _FINE

    # What is drawn

    def _limits(self) -> list[Limit]:
        return [limit for limit in limits(self.chart) if self.scale and limit.value <= self.scale.high]

    def _draw_grid(self, draw: ImageDraw.ImageDraw) -> None:
        left, top, right, bottom = (edge * _FINE for edge in self.box)
        for at, _ in self.times:
            x = _whole(self._x(at))
            draw.rectangle((x - _FINE, bottom, x + _FINE - 1, bottom + 6 * _FINE), AXIS)
        for value, _ in self.scale.ticks if self.scale else ():
            y = _whole(self._y(value))
            draw.rectangle((left, y - _FINE, right, y + _FINE - 1), AXIS if value == 0 else GRID)
        if self.scale is None:
            draw.rectangle((left, bottom - _FINE, right, bottom + _FINE - 1), AXIS)
            draw.rectangle((left, top - _FINE, right, top + _FINE - 1), GRID)

    def _draw_area(self, draw: ImageDraw.ImageDraw) -> None:
        """Tint what is below a line that is alone."""
        plain = [stroke for stroke in self.strokes if not stroke.faint]
        if self.chart.bars or len(plain) != 1:
            return
        for piece in plain[0].pieces:
            corners = [(self._x(at), self._y(value)) for at, value in piece]
            if len(corners) > 1:
                ends = (corners[0][0], self._y(0)), (corners[-1][0], self._y(0))
                draw.polygon([ends[0], *corners, ends[1]], _mixed(plain[0].ink, _TINT))

    def _draw_line(self, draw: ImageDraw.ImageDraw, stroke: Stroke) -> None:
        width = (3 if stroke.faint else 4) * _FINE
        for piece in stroke.pieces:
            corners = [(self._x(at), self._y(value)) for at, value in piece]
            draw.line(corners, stroke.ink, width, joint="curve")
            # Round ends; and a point that is alone would not be seen.
            for x, y in (corners[0], corners[-1]):
                radius = width / 2 if len(corners) > 1 else width
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), stroke.ink)

    def _draw_bars(self, draw: ImageDraw.ImageDraw) -> None:
        left, _, right, _ = self.box
        for bar in bars(self.strokes):
            start = max(self._x(bar.end - max(self.chart.step, 0.0)), left * _FINE)
            # The gap between two bars, but a bar is there also where a step is less than that.
            gap = min(2 * _FINE, (self._x(bar.end) - start) * 0.2)
            end = max(self._x(bar.end) - gap, start + _FINE)
            top, bottom = self._y(bar.top), self._y(bar.bottom)
            if bar.top > bar.bottom:
                draw.rectangle((start + gap, min(top, bottom - _FINE), min(end, right * _FINE), bottom), bar.ink)

    def _draw_limits(self, draw: ImageDraw.ImageDraw) -> None:
        left, _, right, _ = self.box
        for limit in self._limits():
            y = _whole(self._y(limit.value))
            for x in range(left, right, 16):
                end = min(x + 10, right)
                draw.rectangle((x * _FINE, y - _FINE, end * _FINE, y + _FINE * 2 - 1), LIMITS[limit.severity])

    # What is written, in pixels of the picture

    def _write(self, draw: ImageDraw.ImageDraw) -> None:
        left, top, right, bottom = self.box
        bold = font(_TITLE_SIZE, bold=True)
        draw.text((_MARGIN, _MARGIN), fitted(self.chart.title, bold, SIZE[0] - 2 * _MARGIN), TITLE, bold)
        for number, row in enumerate(self.legend):
            self._write_row(draw, row, _MARGIN + 44 + number * _ROW)
        for value, text in self.scale.ticks if self.scale else ():
            words = fitted(text, self.letters, SIZE[0] / 2 - _MARGIN)
            draw.text((left - 14, self._y(value) / _FINE), words, TEXT, self.letters, anchor="rm")
        for at, text in self.times:
            half = self.letters.getlength(text) / 2
            x = max(_MARGIN + half, min(self._x(at) / _FINE, SIZE[0] - half - 4))
            draw.text((x, bottom + 12), text, TEXT, self.letters, anchor="ma")
        if self.scale is None:
            nothing = fitted(self.say("no data"), self.letters, right - left)
            draw.text(((left + right) / 2, (top + bottom) / 2), nothing, TEXT, self.letters, anchor="mm")

    def _write_row(self, draw: ImageDraw.ImageDraw, row: Sequence[_Entry], y: int) -> None:
        x = float(_MARGIN)
        for text, ink, dashed in row:
            for start, end in ((0, 13), (19, 32)) if dashed else ((0, 32),):
                draw.rounded_rectangle((x + start, y + 14, x + end, y + 14 + (4 if dashed else 6)), 3, ink)
            draw.text((x + _SWATCH, y + _ROW / 2), text, TEXT, self.letters, anchor="lm")
            x += self._width(text)

    def _width(self, text: str) -> float:
        return _SWATCH + self.letters.getlength(text) + 30

    def _legend(self) -> list[list[_Entry]]:
        """Return the rows of the legend, which has as much of each text as there is room for."""
        entries: list[_Entry] = [(stroke.label, stroke.ink, False) for stroke in self.strokes]
        if len(entries) == 1:
            # Its title says what it is.
            entries.clear()
        for limit in self._limits():
            told = amount(limit.value, self.chart.unit, self.say)
            entries.append((f"{self.say(limit.severity)} {told}", LIMITS[limit.severity], True))
        left_out = len(self.chart.lines) - len(self.strokes)
        if left_out:
            entries.append((f"+ {left_out}", CARD, False))
        room = SIZE[0] - 2 * _MARGIN + 30
        for share in range(1, 6):
            rows = self._rows(entries, room, room // share)
            if len(rows) <= _MOST_ROWS:
                break
        return rows

    def _rows(self, entries: Sequence[_Entry], room: float, most: float) -> list[list[_Entry]]:
        """Return the entries in rows of this much room, none of them wider than ``most``."""
        rows: list[list[_Entry]] = []
        left = 0.0
        for text, ink, dashed in entries:
            short = fitted(text, self.letters, most - _SWATCH - 31)
            width = self._width(short)
            if width > left:
                rows.append([])
                left = room
            rows[-1].append((short, ink, dashed))
            left -= width
        return rows


def _whole(fine: float) -> int:
    """Return the fine pixel at which one of the picture's begins, so that an even line is not smoothed to a blur."""
    return round(fine / _FINE) * _FINE


def _mixed(ink: str, shade: float) -> tuple[int, ...]:
    """Return an ink on the card: all of it at 1, none of it at 0."""
    pairs = zip(ImageColor.getrgb(ink), ImageColor.getrgb(CARD), strict=True)
    return tuple(round(below + (above - below) * shade) for above, below in pairs)


def _palette() -> Image.Image:
    """Return all the colours that a picture has."""
    inks = (TITLE, TEXT, AXIS, GRID, *INKS, *FAINT, *LIMITS.values())
    colours = [ImageColor.getrgb(CARD), *(_mixed(ink, shade) for ink in inks for shade in _SHADES)]
    colours += [_mixed(ink, _TINT) for ink in INKS]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in colours for part in colour])
    return palette
