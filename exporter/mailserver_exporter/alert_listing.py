"""``mailserver-exporter alerts``: what the alert log says, for people and for scripts."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from mailserver_exporter.alert_history import Episode, History
from mailserver_exporter.finding import counted
from mailserver_exporter.schema import Seconds

_SINCE = "a duration such as 90m, 24h or 7d, a date such as 2026-11-22 or '2026-11-22 14:05', or a time such as 14:05"
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?", re.ASCII)
_TIME = re.compile(r"\d\d:\d\d", re.ASCII)
# A phone held upright; what is wider than that is hard to read.
_NARROW, _WIDE = 36, 110
# With the date in full.
_ROOMY = 60
_MAX_SUMMARY = 500


def since(text: str, now: datetime) -> datetime:
    """Return the moment that ``text`` names, in the zone of ``now``. Raises ValueError with what is allowed."""
    try:
        if _DATE.fullmatch(text):
            start = datetime.fromisoformat(text).replace(tzinfo=now.tzinfo)
        elif _TIME.fullmatch(text):
            start = now.replace(hour=int(text[:2]), minute=int(text[3:]), second=0, microsecond=0)
            # The last time that it was so late.
            start = start if start <= now else start - timedelta(days=1)
        else:
            start = datetime.fromtimestamp(now.timestamp() - Seconds(1).convert(text), now.tzinfo)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is not {_SINCE}") from None
    if start > now:
        raise ValueError(f"{text!r} is in the future")
    return start


def as_text(
    episodes: Sequence[Episode], start: datetime, now: datetime, width: int = 80, severities: Collection[str] = ()
) -> str:
    """Return the alerts as a page for people, the newest last, where the eye is.

    Nothing that a label or a text holds can move the cursor, change the colours or the direction of writing.
    """
    width = min(max(width, _NARROW), _WIDE)
    date = "%Y-%m-%d %H:%M" if width >= _ROOMY else "%m-%d %H:%M"
    kind = f"{' or '.join(severities)} alert" if severities else "alert"
    span = f"since {start:%Y-%m-%d %H:%M} {now:%Z}"
    if not episodes:
        return "\n".join(textwrap.wrap(f"no {kind} {span}", width))
    firing = sum(episode.ended is None for episode in episodes)
    lasted = [_lasted(episode, now) for episode in episodes]
    column = max(map(len, lasted))
    lines = []
    for episode, how_long in zip(episodes, lasted, strict=True):
        when = f"{episode.started.astimezone(now.tzinfo):{date}}"
        head = f"{when}  {how_long:{column}}  {_shown(episode.severity)[:12]:8}"
        name = _shown(episode.alertname)
        if len(f"{head}  {name}") <= width:
            lines.append(f"{head}  {name}".rstrip())
        else:
            lines += [head.rstrip(), *_wrapped(name, width)]
        lines += _wrapped(_what(episode), width)
    told = f"{counted(len(episodes), kind)} {span}, {firing or 'none'} still firing"
    return "\n".join([*lines, "", *textwrap.wrap(told, width)])


def problem(error: ValueError | OSError, file: Path) -> str:
    """Say why there is no answer, and what to do about it."""
    if not isinstance(error, OSError):
        return f"--since: {error}"
    remedy = " (run as root, as the exporter does)" if isinstance(error, PermissionError) else ""
    return f"cannot read the alert log {error.filename or file}: {error.strerror}{remedy}"


def remarks(history: History, file: Path) -> Iterator[str]:
    """Yield what has to be known beside the alerts."""
    if not history.files:
        yield (
            f"there is no alert log {file}: no alert was told yet, or the exporter that keeps it has another "
            "configuration or is in a container (docker compose exec exporter mailserver-exporter alerts)"
        )
    if history.damaged:
        yield f"{counted(history.damaged, 'line')} of {file} cannot be understood and are left out"
    if history.left_out:
        yield f"too many for one list: the {counted(history.left_out, 'oldest alert')} are left out, see {file}"


def as_json(episodes: Sequence[Episode], now: datetime) -> str:
    """Return the alerts as JSON for scripts; times are RFC 3339 in UTC, ``ended`` is null while it fires."""
    return json.dumps(
        [
            {
                "alertname": episode.alertname,
                "severity": episode.severity,
                "summary": episode.summary,
                "labels": dict(episode.labels),
                "started": episode.started.isoformat(timespec="seconds"),
                "ended": episode.ended.isoformat(timespec="seconds") if episode.ended else None,
                "end_known": episode.end_known,
                "seconds": round(episode.lasted(now).total_seconds()),
            }
            for episode in episodes
        ],
        indent=1,
    )


def _lasted(episode: Episode, now: datetime) -> str:
    duration = _duration(round(episode.lasted(now).total_seconds()))
    if episode.ended is None:
        return f"firing {duration}"
    return duration if episode.end_known else f"about {duration}"


def _duration(seconds: int) -> str:
    """Return a duration as the configuration would have it, in its two largest units."""
    for size, unit, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size}{unit}{rest}{small}" if rest else f"{seconds // size}{unit}"
    return f"{seconds}s"


def _what(episode: Episode) -> str:
    """Return what was wrong, the labels where nobody says it in words."""
    labels = ", ".join(f"{name}={value}" for name, value in sorted(episode.labels.items()) if name != "alertname")
    text = _shown(episode.summary or labels)
    return text if len(text) <= _MAX_SUMMARY else f"{text[:_MAX_SUMMARY]}..."


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[: _MAX_SUMMARY + 1])
