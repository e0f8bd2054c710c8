"""The probe messages in the report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailserver_exporter.report.prometheus import Compared
from mailserver_exporter.report.sections import roundtrips
from mailserver_exporter.report.sections.roundtrips import Facts, Trip
from tests.support.report_counts import ENGLISH

WELL = Trip(Compared(1000, 1000, None), Compared(0, 10, None), 0.41, 12.0, limits={"warning": 0.06, "critical": 0.144})


def rules(loop: str, trip: Trip) -> list[tuple[str, str]]:
    return [(action.rule, action.severity) for action in roundtrips.advise(Facts({loop: trip}), ENGLISH)]


def test_messages_that_arrive_need_nothing() -> None:
    section = roundtrips.show(Facts({"local": WELL}), ENGLISH)
    assert (section.state, section.summary) == ("good", "all 1,000 arrived")
    assert [cell.text for cell in section.tables[0].rows[0]] == [
        *("from us to us", "1,000", "100.0%", "99.0%", "–", "0.4\xa0s", "12\xa0s")  # noqa: RUF001
    ]
    assert rules("local", WELL) == []


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (60, []),
        (61, [("roundtrip-loses-messages", "warning")]),
        (144, [("roundtrip-loses-messages", "warning")]),
        (145, [("roundtrip-loses-messages", "critical")]),
    ],
)
def test_messages_that_are_lost_are_to_be_looked_for(lost: float, expected: list[tuple[str, str]]) -> None:
    assert rules("local", replace(WELL, lost=Compared(lost, None, None))) == expected


def test_the_newest_that_did_not_arrive_is_enough() -> None:
    lost = replace(WELL, lost=Compared(1, None, None), arrives=False)
    assert rules("local", lost) == [("roundtrip-loses-messages", "warning")]
    assert lost.state == "warning"


def test_a_few_lost_ones_are_never_all() -> None:
    facts = Facts({"local": replace(WELL, sent=Compared(10000, None, None), lost=Compared(1, None, None))})
    section = roundtrips.show(facts, ENGLISH)
    assert section.summary == "1 of 10,000 did not arrive"
    assert section.tables[0].rows[0][2].text == "99.9%"


def test_junk_and_what_the_receiver_thinks_have_one_cause() -> None:
    junk = replace(WELL, junk=True)
    assert rules("out", junk) == [("roundtrip-in-junk", "warning")]
    assert rules("out", replace(junk, failing=("dkim", "dmarc"))) == [("roundtrip-authentication-fails", "warning")]
    assert rules("in", replace(WELL, failing=("spf",))) == []
    section = roundtrips.show(Facts({"out": junk}), ENGLISH)
    assert section.summary == "all 1,000 arrived, the newest as junk"
    assert section.state == "warning"
