"""Reading pickles without running them."""

from __future__ import annotations

import os
import pickle
import time
from collections import OrderedDict
from pathlib import Path

import pytest

from mailserver_exporter.sources import SourceError, pickles
from mailserver_exporter.sources.pickles import Failure

VALUES = [
    0,
    255,
    65535,
    -1,
    2**31 - 1,
    -(2**31),
    2**62,
    1.5,
    True,
    False,
    None,
    "",
    "sshd",
    "jäil",
    "x" * 300,
    b"raw",
    b"x" * 300,
    [],
    [1],
    [1, 2, 3],
    (),
    (1,),
    (1, 2),
    (1, 2, 3),
    (1, 2, 3, 4),
    {},
    {"a": 1},
    {"sshd": ["systemd", (1, 2), (3, 4)], "postfix": ["polling", (0, 0), (0, 0)]},
    ["same", "same", ("same", ["same"])],
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_reads_plain_values_as_pickle_does(value: object, protocol: int) -> None:
    if isinstance(value, bytes) and protocol == 2:
        with pytest.raises(SourceError, match="calls _codecs"):
            pickles.loads(pickle.dumps(value, protocol))
        return
    assert pickles.loads(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_an_exception_becomes_an_inert_failure(protocol: int) -> None:
    for error in (Exception("Invalid command"), KeyError("sshd"), OSError("x"), ValueError()):
        message = error.args[0] if error.args else ""
        assert pickles.loads(pickle.dumps((1, error), protocol)) == (1, Failure(type(error).__name__, message))


def test_an_exception_of_a_class_that_is_not_here_becomes_one_too() -> None:
    # What fail2ban 1.0.2 answers to ["status", "nojail"].
    answer = (
        b"\x80\x05\x95A\x00\x00\x00\x00\x00\x00\x00K\x01\x8c\x13fail2ban.exceptions\x94\x8c\x14UnknownJailException"
        b"\x94\x93\x94\x8c\x06nojail\x94\x85\x94R\x94\x86\x94."
    )

    assert pickles.loads(answer) == (1, Failure("UnknownJailException", "nojail"))


def test_attributes_of_an_exception_are_dropped() -> None:
    error = ValueError("bad")
    error.note = "more"  # type: ignore[attr-defined]

    assert pickles.loads(pickle.dumps(error, 4)) == Failure("ValueError", "bad")


def test_an_address_that_pickles_itself_as_a_call_of_str_is_a_text() -> None:
    class Address:
        def __reduce__(self) -> tuple[type, tuple[str]]:
            return str, ("192.0.2.1",)

    assert pickles.loads(pickle.dumps([Address(), Address()], 5)) == ["192.0.2.1", "192.0.2.1"]


class Runs:
    def __init__(self, function: object, *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self._call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("function", [os.system, os.popen, eval, exec, __import__, getattr, open])
def test_nothing_that_a_pickle_names_is_run(function: object, protocol: int, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    for argument in (f"touch {trace}", f"__import__('os').system('touch {trace}')", str(trace)):
        with pytest.raises(SourceError):
            pickles.loads(pickle.dumps((0, Runs(function, argument)), protocol))
    assert not trace.exists()


@pytest.mark.parametrize(
    "value", [{1, 2}, frozenset({1}), OrderedDict(a=1), complex(1, 2), Path("/etc"), range(3), os.system, SourceError]
)
def test_objects_of_other_classes_are_refused_or_stay_names(value: object) -> None:
    try:
        read = pickles.loads(pickle.dumps(value, 4))
    except SourceError:
        return
    assert type(read).__name__ == "_Name"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"\x80",
        b"\x80\x05K",
        b"garbage",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00" * 100,
        b"e.",
        b"t.",
        b"\x85.",
        b"K\x01a.",
        b"K\x01K\x02a.",
        b"}(K\x01u.",
        b"}]K\x01s.",
        b"}])K\x01s.",
        b"h\x05.",
        b"K\x01R.",
        b"cos\nsystem.",
        b"cos\nsystem\n)b.",
        b"\x8a\xff" + b"\xff" * 255 + b".",
        b"X\xff\xff\xff\xffabc.",
        b"\x8d" + b"\xff" * 8 + b"abc.",
        b"\x82\x01.",  # EXT1
        b"Psystem\n.",  # PERSID
        b"K\x01Q.",  # BINPERSID
        b"\x96" + b"\xff" * 8 + b".",  # BYTEARRAY8 of 16 EiB
        b"(i__builtin__\neval\n.",  # INST
        b"cos\nsystem\n)\x81.",  # NEWOBJ
    ],
)
def test_what_is_broken_or_made_to_break_the_reader_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError):
        pickles.loads(data)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_breaks_off_anywhere_is_refused(protocol: int) -> None:
    data = pickle.dumps((0, [("Number of jail", 2), ("Jail list", "postfix, sshd")]), protocol)
    for end in range(len(data)):
        with pytest.raises(SourceError):
            pickles.loads(data[:end])


def test_random_changes_to_a_pickle_never_surprise_the_reader() -> None:
    import random

    chance = random.Random(1)
    good = pickle.dumps((1, {"sshd": ["x", (1, 2), (3.5, None)], "b": KeyError("k")}), 4)
    for _ in range(20_000):
        data = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            pickles.loads(bytes(data))
        except SourceError:
            continue


def test_a_memo_index_of_four_billion_costs_nothing() -> None:
    import tracemalloc

    tracemalloc.start()
    assert pickles.loads(b"K\x07r\xfe\xff\xff\xff.") == 7
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def test_a_dictionary_key_that_takes_for_ever_to_hash_is_refused() -> None:
    doubling = b"}K\x01" + b"q\x00h\x00\x86" * 64 + b"K\x01s."
    with pytest.raises(SourceError, match="key that is refused"):
        pickles.loads(doubling)


def test_a_deep_nest_neither_recurses_nor_stays() -> None:
    started = time.monotonic()
    value = pickles.loads(b"]" + b"\x85" * 900_000 + b".")
    del value
    assert time.monotonic() - started < 20


def test_a_program_without_end_is_stopped() -> None:
    with pytest.raises(SourceError, match="opcodes"):
        pickles.loads(b"]" * 2_000_000)
