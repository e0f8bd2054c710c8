"""The exporter's own log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timezone

import pytest

from mailserver_exporter import logs

# Sets up a level and a format, and returns what reads the lines since then.
Start = Callable[[str, str], Callable[[], list[str]]]

OURS = "mailserver_exporter.collection"
HOSTILE = 'first "quoted"\nlevel=error msg=forged\r\x1b[31m\\ \u2028 end'


@pytest.fixture
def set_up(capsys: pytest.CaptureFixture[str]) -> Iterator[Start]:
    """Set the log up as the exporter does, return how to read its lines, and put pytest's own back afterwards."""
    root, package = logging.getLogger(), logging.getLogger("mailserver_exporter")
    handlers, levels = root.handlers[:], (root.level, package.level)

    def lines() -> list[str]:
        return capsys.readouterr().err.splitlines()

    def start(level: str, style: str) -> Callable[[], list[str]]:
        logs.set_up(level, style)
        return lines

    yield start
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    package.setLevel(levels[1])


def test_writes_logfmt(set_up: Start) -> None:
    lines = set_up("info", "logfmt")
    logging.getLogger(OURS).warning("collector %s failed: %s", "queue", "no such file")

    [line] = lines()

    time, rest = line.split(" ", 1)
    assert rest == 'level=warning msg="collector queue failed: no such file"'
    written = datetime.fromisoformat(time.removeprefix("time="))
    assert abs((datetime.now(timezone.utc) - written).total_seconds()) < 60


def test_writes_json(set_up: Start) -> None:
    lines = set_up("info", "json")
    logging.getLogger(OURS).error("collector %s failed", "queue")

    [line] = lines()

    record = json.loads(line)
    assert (record["level"], record["message"]) == ("error", "collector queue failed")
    assert datetime.fromisoformat(record["time"]).tzinfo is not None


@pytest.mark.parametrize("style", logs.FORMATS)
def test_one_event_is_one_line_whatever_is_in_it(style: str, set_up: Start, capsys: pytest.CaptureFixture[str]) -> None:
    set_up("info", style)
    logging.getLogger(OURS).warning("%s", HOSTILE)

    written = capsys.readouterr().err

    assert written.count("\n") == 1
    assert "\r" not in written
    assert "\x1b" not in written
    quoted = json.loads(written)["message"] if style == "json" else json.loads(written.split(" msg=", 1)[1])
    assert quoted == HOSTILE


@pytest.mark.parametrize("style", logs.FORMATS)
def test_a_traceback_stays_in_the_line_of_its_event(style: str, set_up: Start) -> None:
    lines = set_up("info", style)
    try:
        int("cause")
    except ValueError:
        logging.getLogger(OURS).exception("request failed")

    [line] = lines()

    assert "request failed\\nTraceback" in line
    assert "ValueError: invalid literal" in line


def test_tells_what_the_level_asks_for(set_up: Start) -> None:
    for level, told in (("debug", 4), ("info", 3), ("warning", 2), ("error", 1)):
        lines = set_up(level, "logfmt")
        for write in ("debug", "info", "warning", "error"):
            getattr(logging.getLogger(OURS), write)("x")
        assert len(lines()) == told


def test_tells_only_warnings_of_the_libraries(set_up: Start) -> None:
    lines = set_up("debug", "logfmt")
    logging.getLogger("urllib3").info("starting a connection")
    logging.getLogger("urllib3").warning("connection pool is full")
    assert ["pool is full" in line for line in lines()] == [True]


def test_setting_up_again_does_not_tell_everything_twice(
    set_up: Start,
) -> None:
    set_up("info", "logfmt")
    lines = set_up("info", "logfmt")
    logging.getLogger(OURS).warning("once")
    assert len(lines()) == 1
