"""Each fault of the catalogue through the whole stack: exactly the expected messages arrive, and recovery is told."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.e2e import faults
from tests.e2e.world import World
from tests.support.processes import wait_for

FAULTS = [importlib.import_module(f"{faults.__name__}.{found.name}") for found in pkgutil.iter_modules(faults.__path__)]

Alert = tuple[str, str]


@pytest.fixture(scope="module", params=["sid", "bookworm"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with World(request.param) as built:
        yield built


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__.rpartition(".")[2])
def test_exactly_the_expected_alerts_arrive_and_recovery_is_told(world: World, fault: ModuleType) -> None:
    told = world.watchers
    expected: set[Alert] = set(fault.EXPECTED)
    wait_for("the stack is quiet", told.quiet, 60)
    logged, messages, mails = len(list(told.logged())), len(told.telegram.messages), len(told.smtp.mails)

    def log(status: str) -> set[Alert]:
        new = list(told.logged())[logged:]
        return {(record["alertname"], record["severity"]) for record in new if record["status"] == status}

    fault.inject(world)
    try:
        wait_for(f"Telegram is told of {expected}", lambda: len(told.telegram.messages) > messages, 60)
        wait_for(f"e-mail is told of {expected}", lambda: len(told.smtp.mails) > mails, 20)
        world.settle()
    finally:
        fault.recover(world)
    # The log is kept by the exporter, so the log of its own death is written when it is back.
    wait_for(f"{expected} in the log", lambda: log("firing") >= expected, 60)
    wait_for(f"the recovery of {expected} in the log", lambda: log("resolved") >= expected, 60)
    wait_for("the stack is quiet again", told.quiet, 60)
    world.settle()

    assert log("firing") == log("resolved") == expected
    summaries = {record["annotations"]["summary"] for record in list(told.logged())[logged:]}
    texts = [message.text for message in told.telegram.messages[messages:]]
    bodies = [mail.text for mail in told.smtp.mails[mails:]]
    for channel in (texts, bodies):
        assert [summary for summary in summaries if summary not in "\n".join(channel)] == []
    assert not told.telegram.rejected


def test_every_fault_says_what_it_is() -> None:
    assert len(FAULTS) >= 18
    for fault in FAULTS:
        assert fault.__doc__
        assert fault.EXPECTED
