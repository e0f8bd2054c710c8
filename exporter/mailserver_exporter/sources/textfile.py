"""Metrics that other people's jobs leave in files: Prometheus' text format 0.0.4, read as node_exporter does.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/. It is kept as text, not as objects:
there may be thousands of series, and a scrape only repeats them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailserver_exporter.sources import SourceError

_TYPES = frozenset({"counter", "gauge", "histogram", "summary", "untyped"})
_NAME = re.compile("[a-zA-Z_:][a-zA-Z0-9_:]*")
_BLANKS = re.compile("[ \t]+")
# Neither more nor less than Go's strconv.ParseFloat takes, which also refuses what is too large: for one value that it
# does not take, Prometheus refuses the whole scrape.
_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?)|nan", re.IGNORECASE | re.ASCII
)
_LABEL = re.compile(r'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\[\\"n])*)"[ \t]*(?:,|$)')
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}


@dataclass
class Family:
    """One metric of one file: its samples by name and labels, each with its line as it will be shown."""

    name: str
    kind: str = "untyped"
    help: str | None = None
    samples: dict[str, str] = field(default_factory=dict)


@dataclass
class File:
    """What a file holds, and what had to be left out of it."""

    families: list[Family]
    left_out: list[str]


def parse(data: bytes) -> File:
    """Return what a file holds; of a series that is there twice the first is taken, as node_exporter does.

    Raises SourceError, with the number of the line, for what the format does not allow, and for timestamps: then
    nothing of the file is taken.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(f"is not UTF-8 at byte {error.start}") from error
    if "\0" in text:
        raise SourceError("holds a NUL, so it is no text")
    if text and not text.endswith("\n"):
        raise SourceError(
            "ends in the middle of a line", remedy="write to another name and rename it, so that no half is ever read"
        )
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        try:
            reader.line(line.lstrip(" \t"))
        except ValueError as error:
            raise SourceError(f"line {number}: {error}") from error
    return File([family for family in reader.families.values() if family.samples], reader.left_out)


def merge(families: Iterable[Family], known: dict[str, Family]) -> Iterator[str]:
    """Add families to those of other files, and yield in words what cannot be added: names and series are unique."""
    for family in families:
        first = known.setdefault(family.name, family)
        if first is family:
            continue
        if first.kind != family.kind:
            yield f"{family.name} is a {family.kind} here and a {first.kind} in another file"
            continue
        for series, line in family.samples.items():
            if first.samples.setdefault(series, line) is not line:
                yield f"{series[:200]} is in another file, too"


class _Reader:
    def __init__(self) -> None:
        self.families: dict[str, Family] = {}
        self.left_out: list[str] = []
        self._typed: set[str] = set()

    def line(self, line: str) -> None:
        if line.startswith("#"):
            self._comment(line)
        elif line:
            self._sample(line)

    def _comment(self, line: str) -> None:
        words = line[1:].split(None, 2)
        if len(words) < 2 or words[0] not in ("HELP", "TYPE"):
            return
        name, rest = words[1], words[2] if len(words) > 2 else ""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is no name of a metric")
        family = self.families.setdefault(name, Family(name))
        if words[0] == "HELP":
            if family.help is not None:
                raise ValueError(f"a second HELP of {name}")
            family.help = re.sub(r"\\([\\n])", lambda escape: "\n" if escape[1] == "n" else "\\", rest)
        else:
            if name in self._typed or family.samples:
                raise ValueError(f"a second TYPE of {name}, or one after its samples")
            if rest.strip().lower() not in _TYPES:
                raise ValueError(f"{rest.strip()[:80]!r} is no type")
            family.kind = rest.strip().lower()
            self._typed.add(name)

    def _sample(self, line: str) -> None:
        name, inside, value = _cut(line)
        labels = dict(_labels(inside))
        shown = ",".join(f'{key}="{labels[key]}"' for key in sorted(labels) if labels[key])
        series = f"{name}{{{shown}}}" if shown else name
        family = self._family(name)
        if series in family.samples:
            self.left_out.append(f"{series[:200]} is there twice")
            return
        family.samples[series] = f"{series} {value}\n"

    def _family(self, name: str) -> Family:
        """Return the family of a sample, which for a histogram and a summary has a shorter name."""
        for suffix in ("_bucket", "_sum", "_count"):
            if name.endswith(suffix):
                family = self.families.get(name[: -len(suffix)])
                if family and suffix in _PARTS.get(family.kind, ()):
                    return family
        return self.families.setdefault(name, Family(name))


def _cut(line: str) -> tuple[str, str, str]:
    """Cut a sample into name, labels and value. In time that grows with its length and no faster, whatever it holds."""
    found = _NAME.match(line)
    name = found[0] if found else ""
    rest = line[len(name) :].lstrip(" \t")
    inside = ""
    braces = rest.startswith("{")
    if braces:
        inside, _, rest = rest[1:].rpartition("}")
    value, *more = _BLANKS.split(rest.strip(" \t"))
    glued = not braces and line[len(name) : len(name) + 1] not in (" ", "\t")
    if not name or not value or glued or len(more) > 1 or "{" in rest or "}" in rest:
        raise ValueError(f"is no sample: {line[:80]!r}")
    if more:
        raise ValueError("has a timestamp, which text files must not have")
    if not _NUMBER.fullmatch(value) or (math.isinf(float(value)) and "n" not in value.lower()):
        raise ValueError(f"{value[:80]!r} is no number")
    return name, inside, value


def _labels(text: str) -> Iterator[tuple[str, str]]:
    """Yield names and values, the values escaped as they are in the file."""
    position = 0
    seen = set()
    end = len(text.rstrip(" \t"))
    while position < end:
        found = _LABEL.match(text, position)
        if not found:
            raise ValueError(f"is no label: {text[position : position + 80]!r}")
        name, value = found.groups()
        if name in seen:
            raise ValueError(f"the label {name} is there twice")
        if name == "__name__":
            raise ValueError("__name__ is no label of a sample")
        seen.add(name)
        yield name, value
        position = found.end()
