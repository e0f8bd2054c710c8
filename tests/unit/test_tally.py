"""The tally of a log, and its life as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailserver_exporter.sources.tally import Tally

BUCKETS = {"0.01": 0.01, "1": 1.0}


def counted() -> Tally:
    tally = Tally()
    tally[("logins_total", "imap")] += 2
    tally[("logins_total", "pop3")] += 1
    tally[("connects_total",)] += 5
    for value in (0.001, 0.5, 7.25):
        tally.histogram(("delay_seconds", "queue"), BUCKETS).add(value)
    return tally


def test_comes_back_from_json_as_it_was() -> None:
    tally = Tally.load(json.loads(json.dumps(counted().dump())))

    assert tally.of("logins_total") == {("imap",): 2, ("pop3",): 1}
    assert tally.of("connects_total") == {(): 5}
    histogram = tally.histogram(("delay_seconds", "queue"), BUCKETS)
    assert histogram.cumulative() == [("0.01", 1), ("1", 2), ("+Inf", 3)]
    assert histogram.sum == 7.751
    assert tally.dump() == counted().dump()


def test_asking_for_what_was_never_counted_counts_nothing() -> None:
    tally = Tally()

    assert tally.of("logins_total") == {}
    assert tally.get(("logins_total", "imap"), 0) == 0
    assert not tally


def test_a_histogram_with_other_buckets_begins_anew() -> None:
    tally = counted()

    assert tally.histogram(("delay_seconds", "queue"), {"5": 5.0}).cumulative() == [("5", 0), ("+Inf", 0)]


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"counters": 1, "histograms": []},
        {"counters": [], "histograms": None},
        {"counters": [["a", -1]], "histograms": []},
        {"counters": [["a", float("nan")]], "histograms": []},
        {"counters": [["a", float("inf")]], "histograms": []},
        {"counters": [["a", True]], "histograms": []},
        {"counters": [["a", 1, "b"]], "histograms": []},
        {"counters": [[1]], "histograms": []},
        {"counters": [[]], "histograms": []},
        {"counters": [[None, 1]], "histograms": []},
        {"counters": [], "histograms": [["a", ["1"], [1], 0]]},
        {"counters": [], "histograms": [["a", ["x"], [1, 2], 0]]},
        {"counters": [], "histograms": [["a", [1], [1, 2], 0]]},
        {"counters": [], "histograms": [["a", ["1"], [1, "2"], 0]]},
        {"counters": [], "histograms": [[1, 2]]},
    ],
)
def test_says_what_is_no_tally(data: Any) -> None:
    with pytest.raises(ValueError, match=r"not |counts|could"):
        Tally.load(data)
