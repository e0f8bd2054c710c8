"""Numbers as Grafana writes them, for the units that the dashboards use."""

from __future__ import annotations

_DURATIONS = (
    ("year", 31_536_000),
    ("month", 2_628_000),
    ("week", 604_800),
    ("day", 86_400),
    ("hour", 3600),
    ("minute", 60),
    ("second", 1),
)


def text(value: float, unit: str = "short") -> str:
    """Return a value with its unit; raises LookupError for a unit that no dashboard has used before."""
    if unit.startswith("suffix:"):
        return f"{_significant(value)} {unit.removeprefix('suffix:').strip()}"
    return _FORMATS[unit](value)


def _significant(value: float) -> str:
    if value == int(value):
        return f"{value:.0f}"
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")


def _scaled(value: float, base: int, suffixes: str, unit: str) -> str:
    steps = [""] + [f"{letter}{'i' if base == 1024 else ''}" for letter in suffixes]
    position = 0
    while abs(value) >= base and position < len(steps) - 1:
        value /= base
        position += 1
    return f"{_significant(value)} {steps[position]}{unit}".strip()


def _seconds(value: float) -> str:
    for limit, factor, name in ((1e-3, 1e6, "µs"), (1, 1e3, "ms"), (60, 1, "s")):
        if abs(value) < limit:
            return f"{_significant(value * factor)} {name}" if value else "0 s"
    for limit, factor, name in ((3600, 60, "mins"), (86_400, 3600, "hours"), (604_800, 86_400, "days")):
        if abs(value) < limit:
            return f"{_significant(value / factor)} {name}"
    return f"{_significant(value / 604_800)} weeks"


def _duration(value: float) -> str:
    """The greatest unit alone, as with ``dtdurations`` and no decimals."""
    for name, seconds in _DURATIONS:
        if abs(value) >= seconds:
            count = int(value // seconds)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return "0 seconds"


_FORMATS = {
    "short": lambda value: _scaled(value, 1000, "KMBT", ""),
    "percentunit": lambda value: f"{_significant(value * 100)}%",
    "bytes": lambda value: _scaled(value, 1024, "KMGT", "B"),
    "Bps": lambda value: _scaled(value, 1000, "kMGT", "B/s"),
    "s": _seconds,
    "dtdurations": _duration,
}
