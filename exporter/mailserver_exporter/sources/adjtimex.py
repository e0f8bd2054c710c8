"""What the kernel says of its clock, adjtimex(2): asked, never set."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

_TIME_ERROR = 5
_STA_NANO = 0x2000
_MICRO = 1e-6
_NANO = 1e-9
# Frequencies are parts per million with 16 bits after the point.
_PPM = 1e-6 / 65536


class Timex(ctypes.Structure):
    """struct timex of linux/timex.h; ``modes`` 0 asks."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("tv_sec", ctypes.c_long),
        ("tv_usec", ctypes.c_long),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("reserved", ctypes.c_int * 11),
    )


@dataclass(frozen=True)
class Clock:
    """The clock's state; times in seconds, ``frequency`` the ratio by which it is sped up, ``status`` as STA_* bits."""

    synchronised: bool
    offset: float
    frequency: float
    maximum_error: float
    estimated_error: float
    status: int
    time_constant: int
    tick: float
    pps_frequency: float
    pps_jitter: float
    pps_shift: int
    pps_stability: float
    pps_jitter_exceeded: int
    pps_calibrations: int
    pps_errors: int
    pps_stability_exceeded: int
    tai_offset: int


def read() -> Clock:
    """Ask the kernel. Raises OSError where it does not answer, as under a strict seccomp profile."""
    timex = Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "adjtimex(2)")
    return of(timex, state)


def of(timex: Timex, state: int) -> Clock:
    """Return the kernel's answer in seconds; ``state`` is what the call itself returned."""
    fine = _NANO if timex.status & _STA_NANO else _MICRO
    return Clock(
        synchronised=state != _TIME_ERROR,
        offset=timex.offset * fine,
        frequency=1 + timex.freq * _PPM,
        maximum_error=timex.maxerror * _MICRO,
        estimated_error=timex.esterror * _MICRO,
        status=timex.status,
        time_constant=timex.constant,
        tick=timex.tick * _MICRO,
        pps_frequency=timex.ppsfreq * _PPM * 1e6,
        pps_jitter=timex.jitter * fine,
        pps_shift=timex.shift,
        pps_stability=timex.stabil * _PPM * 1e6,
        pps_jitter_exceeded=timex.jitcnt,
        pps_calibrations=timex.calcnt,
        pps_errors=timex.errcnt,
        pps_stability_exceeded=timex.stbcnt,
        tai_offset=timex.tai,
    )
