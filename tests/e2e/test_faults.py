"""Each fault of the catalogue through the whole stack: exactly the expected messages arrive, and recovery is told."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType

import pytest

from tests.e2e import faults
from tests.e2e.world import CHANNELS, Stack, Transcript, World
from tests.support.processes import wait_for
from tests.support.tools import RELEASES

FAULTS = [importlib.import_module(f"{faults.__name__}.{found.name}") for found in pkgutil.iter_modules(faults.__path__)]

# A fault takes about 15 s; before the first one, the mail host may have to wait for another's Docker Engine.
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as world:
        yield world
        # A message that comes late is on the page of the next fault; one that comes after the last is found here.
        world.settle()
        for stack in world.stacks.values():
            assert stack.told() == {channel: [] for channel in CHANNELS}


@pytest.fixture(scope="module", params=FAULTS, ids=lambda fault: fault.__name__.rpartition(".")[2])
def fault(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


@pytest.fixture(scope="module")
def told(world: World, fault: ModuleType) -> dict[str, dict[str, Transcript]]:
    """Make the fault, mend it, and return what each stack told from the end of the fault before until all is quiet."""
    expected = Counter(fault.EXPECTED)
    try:
        try:
            fault.inject(world)
            # The log is kept by the exporter, which may be what has gone: wait for what is told there alone.
            only_logged = expected - _of(expected, "mail")
            for channel, awaited in (("telegram", expected - only_logged), ("mail", expected - only_logged)):
                _wait(world, f"{channel} is told", partial(_lacks_none, awaited, channel))
            _wait(world, "what is only information is logged", partial(_lacks_none, only_logged, "log"))
            _wait(world, "no other alert is on its way", lambda stack: not stack.alerts("pending"))
            world.settle()
        finally:
            fault.recover(world)
        _wait(world, "all is quiet", lambda stack: stack.quiet())
        ends = {channel: _of(expected, channel) for channel in CHANNELS}
        _wait(world, "all are told of the end", lambda s: not any(ends[c] - _ended(t) for c, t in s.told().items()))
    finally:
        # Also when this fault failed, so that it fails alone.
        told = {release: stack.turn_page() for release, stack in world.stacks.items()}
    return told


@pytest.mark.parametrize("release", RELEASES)
def test_exactly_the_expected_is_told_by_every_channel(
    world: World, fault: ModuleType, told: dict[str, dict[str, Transcript]], release: str
) -> None:
    log, telegram, mail = (told[release][channel] for channel in CHANNELS)
    assert _firing(log) == _ended(log) == Counter(fault.EXPECTED), f"{log}\n{world.story(release)}"
    assert len(log) == len(set(log)), log
    # What is critical is repeated there, but no channel tells anything that the others do not; info is for the log.
    assert set(telegram) == set(mail) == {entry for entry in log if entry.severity != "info"}
    assert world.stacks[release].telegram.rejected == []
    assert world.stacks[release].smtp.refused == []


def test_every_fault_says_what_it_is() -> None:
    for fault in FAULTS:
        assert fault.__doc__
        assert fault.EXPECTED


def _of(expected: Counter[tuple[str, str]], channel: str) -> Counter[tuple[str, str]]:
    """Return what a channel is told of that: what is only info is written to the log and sent to nobody."""
    return Counter({alert: n for alert, n in expected.items() if channel == "log" or alert[1] != "info"})


def _lacks_none(expected: Counter[tuple[str, str]], channel: str, stack: Stack) -> bool:
    return not expected - _firing(stack.told()[channel])


def _firing(told: Transcript) -> Counter[tuple[str, str]]:
    """Count what fired by name and severity; what is told again counts once."""
    return Counter((entry.name, entry.severity) for entry in set(told) if entry.status == "firing")


def _ended(told: Transcript) -> Counter[tuple[str, str]]:
    """Count what ended by the name and severity with which it fired."""
    names = {(entry.severity, entry.what): entry.name for entry in told if entry.status == "firing"}
    ends = {(entry.severity, entry.what) for entry in told if entry.status == "resolved"}
    return Counter((names.get(end, "never fired"), end[0]) for end in ends)


def _wait(world: World, what: str, condition: Callable[[Stack], object]) -> None:
    """Wait for every stack; raises AssertionError that says what was told instead."""
    for stack in world.stacks.values():
        try:
            wait_for(what, partial(condition, stack), 60, pause=0.1)
        except AssertionError as error:
            alerts = {state: stack.alerts(state) for state in ("pending", "firing")}
            raise AssertionError(f"{stack.release}: {error}\nalerts: {alerts}\ntold: {stack.told()}") from error
