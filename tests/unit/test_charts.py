"""The charts of the report, decoded again: what is where in the picture, and what bad input makes of it."""

from __future__ import annotations

import io
import itertools
import math
import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from PIL import Image, ImageColor

from mailserver_exporter.report import charts
from mailserver_exporter.report.axes import scale, times
from mailserver_exporter.report.charts import CARD, SIZE, png
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.lettering import fitted, font, readable
from mailserver_exporter.report.model import Chart, Limit, Line
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.strokes import FAINT, INKS, LIMITS

BERLIN = ZoneInfo("Europe/Berlin")
DAY = Period.before(datetime(2026, 11, 18, 2, tzinfo=BERLIN))
ENGLISH, GERMAN = Language("en", BERLIN), Language("de", BERLIN)
NAN = math.nan


def course(value: Callable[[float], float], period: Period = DAY, step: float = 300) -> tuple[tuple[float, float], ...]:
    """Return points of a function of the hours since the start."""
    start = period.start.timestamp()
    return tuple(
        (start + number * step, value(number * step / 3600)) for number in range(int(period.seconds // step) + 1)
    )


def chart(
    *lines: Line, unit: str = "ratio", step: float = 300, limits: Iterable[Limit] = (), bars: bool = False
) -> Chart:
    return Chart("name", "Title", unit, lines, step, tuple(limits), bars=bars)  # type: ignore[arg-type]


class Picture:
    """A drawn chart."""

    def __init__(self, drawn: Chart, period: Period = DAY, say: Language = ENGLISH) -> None:
        self.layout = charts._Picture(drawn, period, say)
        self.bytes = png(drawn, period, say)
        with Image.open(io.BytesIO(self.bytes)) as image:
            self.size, self.mode, self.format = image.size, image.mode, image.format
            self.image = image.convert("RGB")

    def column(self, hours: float) -> int:
        """Return where a time is, by what the picture's frame is and not by the function that drew it."""
        left, _, right, _ = self.layout.box
        return round(left + hours / (self.layout.period.seconds / 3600) * (right - left))

    def row(self, share: float) -> int:
        """Return where a share of the value axis is."""
        _, top, _, bottom = self.layout.box
        return round(bottom - share * (bottom - top))

    def rows(self, ink: str, x: int) -> list[int]:
        """Return the rows that have this ink in a column of the plot."""
        _, top, _, bottom = self.layout.box
        rgb = ImageColor.getrgb(ink)
        return [y for y in range(top - 3, bottom + 4) if self.image.getpixel((x, y)) == rgb]

    def inks(self) -> set[tuple[int, ...]]:
        found = self.image.getcolors(1_000_000)
        assert found is not None
        return {colour for _, colour in found}  # type: ignore[misc]

    def has(self, ink: str) -> bool:
        return ImageColor.getrgb(ink) in self.inks()


def test_a_line_is_at_its_value() -> None:
    picture = Picture(chart(Line("a", course(lambda hour: 0.5)), Line("b", course(lambda hour: hour / 24))))
    for hour in (3, 9, 15, 21):
        for ink, share in ((INKS[0], 0.5), (INKS[1], hour / 24)):
            rows = picture.rows(ink, picture.column(hour))
            assert rows
            assert abs(sum(rows) / len(rows) - picture.row(share)) <= 2


def test_the_picture_is_a_small_png_of_few_colours_and_its_size() -> None:
    picture = Picture(chart(Line("a", course(lambda hour: 0.3 + 0.2 * math.sin(hour)))))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "P", SIZE)
    assert len(picture.bytes) < 12_000
    assert picture.image.getpixel((1, 1)) == ImageColor.getrgb(CARD)


def test_eight_charts_of_a_day_take_less_than_100_kb() -> None:
    def noisy(hour: float) -> float:
        return 0.3 + 0.15 * math.sin(hour / 4) + 0.007 * math.sin(hour * 91) + 0.007 * math.sin(hour * 47)

    both = chart(Line("today", course(noisy)), Line("yesterday", course(noisy), True), limits=[Limit("warning", 0.8)])
    many = chart(*(Line(str(up), course(lambda hour, up=up: noisy(hour) + up * 0.1)) for up in range(4)))
    sizes = [len(png(both, DAY, ENGLISH))] * 5 + [len(png(many, DAY, ENGLISH))] * 3
    assert max(sizes) < 16_000
    assert sum(sizes) < 100_000


def test_the_wildest_chart_takes_less_than_80_kb() -> None:
    chance = random.Random(1)
    wild = [Line(str(number), course(lambda hour: chance.random(), step=60)) for number in range(8)]
    assert len(png(chart(*wild), DAY, ENGLISH)) < 80_000


def test_the_same_input_makes_the_same_picture() -> None:
    drawn = chart(Line("a", course(math.sin)), Line("b", course(math.cos), True), limits=[Limit("critical", 0.9)])
    assert png(drawn, DAY, ENGLISH) == png(drawn, DAY, ENGLISH)
    assert png(drawn, DAY, GERMAN) != png(drawn, DAY, ENGLISH)


@pytest.mark.parametrize("missing", [NAN, math.inf, -math.inf, None])
def test_a_gap_stays_one(missing: float | None) -> None:
    points = course(lambda hour: 0.5)
    start = DAY.start.timestamp()
    away = [at for at, _ in points if 10 < (at - start) / 3600 < 12]
    holes = () if missing is None else tuple((at, missing) for at in away)
    line = Line("a", tuple(sorted((*(point for point in points if point[0] not in away), *holes))))
    picture = Picture(chart(line, Line("other", course(lambda hour: 0.1))))
    assert picture.rows(INKS[0], picture.column(9.5))
    assert picture.rows(INKS[0], picture.column(12.5))
    for hour in (10.3, 11, 11.7):
        assert not picture.rows(INKS[0], picture.column(hour))


def test_one_late_point_is_no_gap() -> None:
    start = DAY.start.timestamp()
    line = Line("a", ((start, 0.5), (start + 300, 0.5), (start + 700, 0.5)))
    picture = Picture(chart(line), Period(DAY.start, DAY.start + timedelta(seconds=700)))
    assert picture.rows(INKS[0], picture.column(500 / 3600))


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_a_single_point_is_seen(value: float) -> None:
    alone = Line("a", ((DAY.start.timestamp() + 12 * 3600, value),))
    picture = Picture(chart(alone, limits=[Limit("warning", 0.9)]))
    assert len(picture.rows(INKS[0], picture.column(12))) >= 3
    assert not picture.rows(INKS[0], picture.column(13))


def test_a_limit_is_a_dashed_line_at_its_height() -> None:
    limits = [Limit("warning", 0.8), Limit("critical", 0.9)]
    picture = Picture(chart(Line("a", course(lambda hour: 0.2)), limits=limits))
    for severity, value in (("warning", 0.8), ("critical", 0.9)):
        columns = {
            x: rows for x in range(picture.column(6), picture.column(18)) if (rows := picture.rows(LIMITS[severity], x))
        }
        assert all(abs(row - picture.row(value)) <= 2 for rows in columns.values() for row in rows)
        assert 0.3 < len(columns) / (picture.column(18) - picture.column(6)) < 0.8


def test_a_limit_far_above_the_values_is_left_out_and_not_in_the_legend() -> None:
    near, far = (
        Picture(chart(Line("a", course(lambda hour: 3.0 + hour)), unit="count", limits=[Limit("critical", limit)]))
        for limit in (100.0, 100_000.0)
    )
    assert near.has(LIMITS["critical"])
    assert not far.has(LIMITS["critical"])


def test_a_faint_line_lies_below_the_others() -> None:
    same = course(lambda hour: 0.5)
    picture = Picture(chart(Line("today", same), Line("yesterday", same, faint=True)))
    x = picture.column(12)
    assert len(picture.rows(INKS[0], x)) >= 3
    assert not picture.rows(FAINT[0], x)
    assert picture.has(FAINT[0])  # in the legend


def test_bars_stand_on_each_other_in_the_hour_they_count() -> None:
    start = DAY.start.timestamp()
    hours = [start + hour * 3600 for hour in range(1, 25)]
    sent = Line("sent", tuple((at, 10.0) for at in hours))
    rejected = Line("rejected", tuple((at, 5.0 if number != 6 else 0.0) for number, at in enumerate(hours)))
    picture = Picture(chart(sent, rejected, unit="count", step=3600, bars=True))
    top = picture.layout.scale.ticks[-1][0]  # type: ignore[union-attr]
    lower, upper = (picture.rows(ink, picture.column(5.5)) for ink in INKS[:2])
    assert abs(min(lower) - picture.row(10 / top)) <= 2
    assert abs(min(upper) - picture.row(15 / top)) <= 2
    assert max(upper) <= min(lower)
    assert not picture.rows(INKS[1], picture.column(6.5))
    assert picture.rows(INKS[0], picture.column(0.5))


def test_nothing_known_is_said_in_words() -> None:
    empty = chart(
        Line("a", ()), Line("b", ((DAY.start.timestamp(), NAN),)), unit="seconds", limits=[Limit("warning", 1)]
    )
    english, german = Picture(empty), Picture(empty, say=GERMAN)
    assert english.layout.scale is None
    left, top, right, bottom = english.layout.box
    middle = (left + 100, (top + bottom) // 2 - 20, right - 100, (top + bottom) // 2 + 20)
    assert len(english.image.crop(middle).getcolors() or ()) > 1
    assert english.image.crop(middle).tobytes() != german.image.crop(middle).tobytes()
    assert Picture(chart()).layout.scale is None


@pytest.mark.parametrize("value", [0.0, 1.0, 0.37, -3.0, 1e-12, 1e300, -1e300, 1.7e308])
@pytest.mark.parametrize("unit", ["ratio", "bytes", "seconds", "count"])
def test_any_constant_is_drawn(unit: str, value: float) -> None:
    picture = Picture(chart(Line("a", course(lambda hour: value)), unit=unit))
    assert picture.rows(INKS[0], picture.column(12))
    left, top, right, bottom = picture.layout.box
    assert right - left > 400
    assert bottom - top > 150


def test_hostile_labels_are_bounded_and_leave_room_for_the_lines() -> None:
    evil = "\u202e\u200f😀\n\x00<b>%s{}" * 100
    lines = [Line(evil, course(lambda hour: 1e300 * (-1) ** int(hour))) for _ in range(20)]
    hostile = Chart(evil, evil, "count", tuple(lines), NAN, tuple(Limit("critical", 1e299) for _ in range(50)))
    picture = Picture(hostile)
    _, top, _, bottom = picture.layout.box
    assert bottom - top > 150
    assert all(len(row) <= 5 for row in picture.layout.legend)
    edge = picture.image.crop((SIZE[0] - 4, 0, SIZE[0], SIZE[1]))
    assert edge.getcolors() == [(4 * SIZE[1], ImageColor.getrgb(CARD))]


def test_the_legend_does_not_overlap() -> None:
    lines = [Line(f"/srv/{'x' * number * 4}", course(lambda hour: 0.5)) for number in range(6)]
    layout = Picture(chart(*lines, limits=[Limit("warning", 0.8), Limit("critical", 0.9)])).layout
    assert len(layout.legend) <= 3
    for row in layout.legend:
        assert sum(layout._width(text) for text, _, _ in row) <= SIZE[0]
    assert [text for row in layout.legend for text, _, _ in row][-2:] == ["warning 80%", "critical 90%"]


def test_a_line_that_is_alone_needs_no_legend() -> None:
    assert Picture(chart(Line("a", course(math.sin)))).layout.legend == []


def test_more_lines_than_inks_are_counted_in_the_legend() -> None:
    layout = Picture(chart(*(Line(str(number), course(math.sin)) for number in range(9)))).layout
    assert layout.legend[-1][-1][0] == "+ 3"


def test_points_outside_the_period_are_not_drawn() -> None:
    start = DAY.start.timestamp()
    around = Line("a", tuple((start + hour * 3600, 0.5) for hour in range(-48, 72)))
    inside = Line("a", tuple((start + hour * 3600, 0.5) for hour in range(25)))
    assert png(chart(around, step=3600), DAY, ENGLISH) == png(chart(inside, step=3600), DAY, ENGLISH)


def test_a_peak_among_many_points_is_seen() -> None:
    month = Period.before(DAY.end, timedelta(days=31))
    line = Line("a", course(lambda hour: 0.9 if hour == 400.5 else 0.1, month, 60))
    picture = Picture(chart(line, step=60), month)
    assert min(picture.rows(INKS[0], picture.column(400.5))) <= picture.row(0.88)


def test_an_empty_period_and_a_long_one_are_drawn() -> None:
    for period in (Period(DAY.end, DAY.end), Period.before(DAY.end, timedelta(days=4000))):
        assert Picture(chart(Line("a", ((DAY.end.timestamp(), 1.0),))), period).size == SIZE


# The letters


def test_umlauts_have_letters_of_their_own() -> None:
    assert readable("Größe äöü ÄÖÜ ß – · € … ≥") == "Größe äöü ÄÖÜ ß – · € … ≥"  # noqa: RUF001
    assert readable("u\u0308ber") == "über"
    shapes = {bytes(font(26).getmask(letter)) for letter in "aouAOUäöüÄÖÜß"}
    assert len(shapes) == 13


def test_what_has_no_letter_is_a_question_mark() -> None:
    assert readable("a\u202eb\u200bc😀漢\x00\x1b[1m") == "a?b?c????[1m"
    assert readable("  two\n\tlines ") == "two lines"


def test_a_text_that_is_too_long_ends_with_an_ellipsis() -> None:
    letters = font(26)
    for width in (60, 100, 333):
        short = fitted("W" * 500, letters, width)
        assert short.endswith("W…")
        assert letters.getlength(short) <= width < letters.getlength("W" + short)
    assert fitted("short", letters, 300) == "short"
    assert fitted("long", letters, 0) == "…"


# The axes


@pytest.mark.parametrize(
    ("unit", "high", "whole", "expected"),
    [
        ("ratio", 0.83, False, ["0%", "20%", "40%", "60%", "80%", "100%"]),
        ("ratio", 0.004, False, ["0.0%", "0.1%", "0.2%", "0.3%", "0.4%"]),
        ("count", 0.0, True, ["0", "1"]),
        ("count", 3.0, True, ["0", "1", "2", "3"]),
        ("count", 2.4, False, ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5"]),
        ("count", 1234.0, True, ["0", "500", "1,000", "1,500"]),
        ("bytes", 3.1 * 2**30, False, ["0 GiB", "1 GiB", "2 GiB", "3 GiB", "4 GiB"]),
        ("bytes", 1.2 * 2**30, False, ["0.00 GiB", "0.25 GiB", "0.50 GiB", "0.75 GiB", "1.00 GiB", "1.25 GiB"]),
        ("bytes", 700.0, False, ["0 B", "256 B", "512 B", "768 B"]),
        ("seconds", 0.32, False, ["0.0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]),
        ("seconds", 40.0, False, ["0 s", "10 s", "20 s", "30 s", "40 s"]),
        ("seconds", 5000.0, False, ["0 s", "30 min", "1 h", "1 h 30 min"]),
        ("seconds", 90 * 86400.0, False, ["0 s", "20 d", "40 d", "60 d", "80 d", "100 d"]),
    ],
)
def test_values_are_named_in_round_steps(unit: str, high: float, whole: bool, expected: list[str]) -> None:
    axis = scale(unit, 0.0, high, whole=whole, say=ENGLISH)
    assert [text.replace("\N{NO-BREAK SPACE}", " ") for _, text in axis.ticks] == expected


@pytest.mark.parametrize("unit", ["ratio", "bytes", "seconds", "count"])
@pytest.mark.parametrize("exponent", range(-8, 301, 11))
def test_an_axis_has_zero_all_values_and_few_steps(unit: str, exponent: int) -> None:
    for low, high in ((0.0, 3.0), (-7.0, 1.0), (-2.0, -1.0)):
        axis = scale(unit, low * 10.0**exponent, high * 10.0**exponent, whole=False, say=ENGLISH)
        room = (axis.high - axis.low) * 1e-9
        assert axis.low <= min(0, low * 10.0**exponent) + room
        assert axis.high >= max(0, high * 10.0**exponent) - room
        assert 2 <= len(axis.ticks) <= 6
        assert any(value == 0 for value, _ in axis.ticks)


def test_a_day_is_named_by_its_hours_and_midnight_by_the_date() -> None:
    assert [text for _, text in times(DAY, 7, ENGLISH)] == ["06:00", "12:00", "18:00", "18 Nov"]
    assert [text for _, text in times(DAY, 7, GERMAN)][-1] == "18. 11."


@pytest.mark.parametrize(
    ("day", "hours", "expected"),
    [
        # Clocks are put forward at 02:00 and back at 03:00.
        (datetime(2026, 3, 29, tzinfo=BERLIN), 23, [0, 5, 11, 17, 23]),
        (datetime(2026, 10, 25, tzinfo=BERLIN), 25, [0, 7, 13, 19, 25]),
    ],
)
def test_hours_are_where_the_clock_shows_them_when_it_is_put(day: datetime, hours: int, expected: list[int]) -> None:
    period = Period(day, day + timedelta(days=1))
    assert period.seconds == hours * 3600
    named = times(period, 7, ENGLISH)
    assert [(at - day.timestamp()) / 3600 for at, _ in named] == expected
    assert [text for _, text in named][1:4] == ["06:00", "12:00", "18:00"]


def test_an_hour_that_comes_twice_is_named_twice_and_one_that_is_left_out_never() -> None:
    back = Period.before(datetime(2026, 10, 25, 4, tzinfo=BERLIN), timedelta(hours=4))
    assert [text for _, text in times(back, 7, ENGLISH)] == ["01:00", "02:00", "02:00", "03:00", "04:00"]
    forward = Period.before(datetime(2026, 3, 29, 5, tzinfo=BERLIN), timedelta(hours=4))
    assert [text for _, text in times(forward, 7, ENGLISH)] == ["29 Mar", "01:00", "03:00", "04:00", "05:00"]


@pytest.mark.parametrize("hours", [1, 2, 5, 12, 24, 48, 72, 168, 336, 744, 9000])
def test_any_period_has_a_few_named_times_in_order_inside_it(hours: int) -> None:
    period = Period.before(DAY.end, timedelta(hours=hours))
    named = [at for at, _ in times(period, 7, ENGLISH)]
    assert 2 <= len(named) <= 7
    assert named == sorted(set(named))
    assert period.start.timestamp() <= named[0]
    assert named[-1] <= period.end.timestamp()


# The inks

# What who is blind to red, green or blue sees of linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.0.
_BLIND = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def _linear(ink: str) -> list[float]:
    shares = (part / 255 for part in ImageColor.getrgb(ink))
    return [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]


def _lab(linear: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = (min(1.0, max(0.0, part)) for part in linear)
    x, y, z = (
        (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
        0.2126 * red + 0.7152 * green + 0.0722 * blue,
        (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
    )
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("to", _BLIND)
def test_the_inks_are_told_apart_by_who_is_blind_to_a_colour(to: str) -> None:
    seen = {ink: _lab(sum(a * b for a, b in zip(row, _linear(ink))) for row in _BLIND[to]) for ink in INKS}  # noqa: B905
    for one, other in itertools.combinations(INKS, 2):
        # CIE 1976: 2.3 is just noticed.
        assert math.dist(seen[one], seen[other]) > 14, (one, other)


@pytest.mark.parametrize("ink", [*INKS[:4], *LIMITS.values(), charts.TEXT, charts.TITLE])
def test_inks_have_contrast_on_the_card(ink: str) -> None:
    card, drawn = (sum(a * b for a, b in zip((0.2126, 0.7152, 0.0722), _linear(each))) for each in (CARD, ink))  # noqa: B905
    # WCAG 2.1, 1.4.11: 3:1 for graphics.
    assert (card + 0.05) / (drawn + 0.05) >= 3


def test_letters_are_11_pixels_high_on_a_phone() -> None:
    # Of 360 pixels the page's edges leave 332 for a picture.
    assert charts._TEXT_SIZE * 332 / charts.SIZE[0] >= 11
