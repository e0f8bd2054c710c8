"""The kernel's clock."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from mailserver_exporter.collectors.timex import TimexCollector
from mailserver_exporter.sources import SourceError, adjtimex
from tests.support.contexts import context
from tests.support.metrics import Exposition

# A clock that is kept, with STA_NANO: 213 microseconds off, 20 ppm fast.
KEPT = adjtimex.Timex(
    offset=213_000, freq=20 << 16, maxerror=11_500, esterror=90, status=0x2001, constant=7, tick=10_000
)
# One that nobody keeps: the estimate of the error has reached its end.
LEFT = adjtimex.Timex(maxerror=16_000_000, esterror=16_000_000, status=0x40, constant=2, tick=10_000)
TIME_OK, TIME_ERROR = 0, 5


def collect(state: Path, clock: adjtimex.Clock, monkeypatch: pytest.MonkeyPatch, yaml: str = "") -> Exposition:
    monkeypatch.setattr(adjtimex, "read", lambda: clock)
    return Exposition.of(TimexCollector(context(state, yaml, state)).collect())


def test_the_structure_is_the_kernel_s() -> None:
    assert ctypes.sizeof(adjtimex.Timex) == 208


def test_times_are_in_seconds_whatever_unit_the_kernel_uses() -> None:
    clock = adjtimex.of(KEPT, TIME_OK)
    assert clock.offset == pytest.approx(0.000213)
    assert clock.frequency == pytest.approx(1.00002)
    assert clock.maximum_error == pytest.approx(0.0115)
    assert clock.tick == pytest.approx(0.01)
    micro = adjtimex.Timex.from_buffer_copy(KEPT)
    micro.status = 1
    assert adjtimex.of(micro, TIME_OK).offset == pytest.approx(0.213)


def test_this_machine_s_clock_is_told(tmp_path: Path) -> None:
    found = Exposition.of(TimexCollector(context(tmp_path, "", tmp_path)).collect())
    assert found.value("node_timex_tick_seconds") == pytest.approx(0.01, rel=0.2)
    assert found.value("mailserver_threshold_clock_offset_seconds", severity="warning") == 0.1


@pytest.mark.parametrize(
    ("given", "state", "good"),
    [(KEPT, TIME_OK, 1), (LEFT, TIME_ERROR, 0), (KEPT, TIME_ERROR, 1), (LEFT, TIME_OK, 1)],
    ids=["kept", "left", "kept by chrony without rtcsync", "said to be kept"],
)
def test_a_clock_is_synchronised_by_its_state_or_by_its_small_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: adjtimex.Timex, state: int, good: int
) -> None:
    found = collect(tmp_path, adjtimex.of(given, state), monkeypatch)
    assert found.value("mailserver_clock_synchronised") == good
    assert found.value("node_timex_sync_status") == (state == TIME_OK)


def test_synchronisation_is_expected_where_it_was_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for clock, expected in (
        (adjtimex.of(LEFT, TIME_ERROR), 0),
        (adjtimex.of(KEPT, TIME_OK), 1),
        (adjtimex.of(LEFT, TIME_ERROR), 1),
    ):
        found = collect(tmp_path, clock, monkeypatch)
        assert found.value("mailserver_clock_synchronisation_expected") == expected


def test_synchronisation_is_expected_on_a_mail_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc/postfix").mkdir(parents=True)
    (tmp_path / "etc/postfix/main.cf").touch()
    found = collect(tmp_path, adjtimex.of(LEFT, TIME_ERROR), monkeypatch)
    assert found.value("mailserver_clock_synchronisation_expected") == 1


def test_a_kernel_that_does_not_tell_is_a_failure_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> adjtimex.Clock:
        raise PermissionError(1, os.strerror(1), "adjtimex(2)")

    monkeypatch.setattr(adjtimex, "read", refuse)
    with pytest.raises(SourceError, match="Operation not permitted") as caught:
        list(TimexCollector(context(tmp_path)).collect())
    assert "seccomp" in caught.value.remedy
