"""The report's state as it is read back: only what we have written, in this version or in another one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from mailserver_exporter.report.outbox import Letter, State
from mailserver_exporter.report.schedule import Done

LETTER = Letter(1.0, "<1@example.net>", "digest", ("a@b.c",), {"d@e.f": "no"}, "mend it", "missed", 3, 5.5)
STATE = State(Done("02:00 UTC", (1.0, 2.0)), LETTER, 1.0, 2.0, 3.0, 4, 5, 6.0, 7)
FOREIGN: tuple[Any, ...] = ([[1]], -1, 1e400, float("nan"), 10**400, 1e300, "\ud800", {"a": {}}, True, 5, "text")


def written(state: State = STATE) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(json.dumps(state.encode()))
    return result


def places(data: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in data.items():
        yield (*before, name)
        if isinstance(value, dict) and name != "troubles":
            yield from places(value, (*before, name))


def test_what_was_written_is_read_back() -> None:
    assert State.decode(written()) == STATE
    assert State.decode(written(State())) == State()


@pytest.mark.parametrize("place", list(places(written())), ids=".".join)
@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda value: repr(value)[:12])
def test_nothing_foreign_gets_in(place: tuple[str, ...], foreign: Any) -> None:
    """Whatever is accepted can be written again, and is of the type that the rest of the program expects."""
    data = inner = written()
    for name in place[:-1]:
        inner = inner[name]
    kind = type(inner[place[-1]])
    inner[place[-1]] = foreign
    try:
        state = State.decode(data)
    except ValueError:
        return
    assert isinstance(foreign, kind) or (kind is float and foreign == 5)
    json.dumps(state.encode()).encode()


@pytest.mark.parametrize("data", [None, [], "letter", 5, {"letter": {}}, {"letter": {"due": 1}}, {"done": []}])
def test_what_is_no_state_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        State.decode(data)


def test_another_versions_fields_do_not_matter() -> None:
    data = written()
    data["new"] = 1
    data["letter"]["new"] = {}
    del data["failed"], data["letter"]["remedy"]
    state = State.decode(data)
    assert (state.failed, state.sent) == (0, 4)
    assert state.letter is not None
    assert (state.letter.remedy, state.letter.message_id) == ("", "<1@example.net>")


@pytest.mark.parametrize("forged", ["<a@b>\r\nBcc: <c@d>", "<a b@c>", "<ü@b>", "", f"<{'a' * 1000}@b>"])
def test_a_message_id_cannot_bring_headers_of_its_own(forged: str) -> None:
    data = written()
    data["letter"]["message_id"] = forged
    with pytest.raises(ValueError, match="message_id"):
        State.decode(data)
