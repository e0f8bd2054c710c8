"""The daily report arrives: whoever is killed, whatever refuses it, and never twice without need."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailserver_exporter.report.outbox import Letter, State
from mailserver_exporter.report.schedule import Done
from tests.support.processes import free_port, wait_for
from tests.support.report_post import DAY, TO, Post, post


@pytest.fixture
def due(tmp_path: Path) -> Iterator[Post]:
    with post(tmp_path) as place:
        place.make_due()
        yield place
        assert place.script.faults == []


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Make a directory as a disk that the kernel has made read-only after an error; root may write to any other."""
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", directory], check=True)
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def plain(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


def test_what_is_due_is_sent_once(due: Post) -> None:
    standing = due.run()
    assert standing["state"]["letter"]["done"]
    assert standing["state"]["overdue_since"] == 0
    assert standing["problem"] == ""
    again = due.run(again=True)
    assert again["state"]["sent"] == 1
    [message] = due.messages()
    assert message["To"] == ", ".join(TO)
    assert message["Message-ID"] == standing["state"]["letter"]["message_id"]
    assert [path.name for path in due.outbox.directory.glob("*.eml")] == []


POINTS = ("prometheus", "greeting", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA")


@pytest.mark.parametrize("point", POINTS)
def test_who_is_killed_before_the_server_has_accepted_leaves_one(due: Post, point: str) -> None:
    due.kill_at(point)
    assert due.messages() == []
    due.run(again=True)
    due.run(again=True)
    assert len(due.messages()) == 1


@pytest.mark.parametrize(("name", "point"), [("state", ""), ("message", "prometheus"), ("state", "prometheus")])
def test_who_is_killed_while_noting_what_is_to_be_done_leaves_one(due: Post, name: str, point: str) -> None:
    due.kill_when_writing(name, point)
    assert due.messages() == []
    due.run(again=True)
    due.run(again=True)
    assert len(due.messages()) == 1


@pytest.mark.parametrize("noting", [True, False], ids=["before it noted that", "before it was told"])
def test_who_is_killed_after_the_server_has_accepted_leaves_the_same_twice(due: Post, noting: bool) -> None:
    if noting:
        due.kill_when_writing("state", ".")
    else:
        due.kill_at(".")
    wait_for("the first one is accepted", due.messages)
    due.run(again=True)
    first, second = due.script.messages
    assert first == second
    due.run(again=True)
    assert len(due.messages()) == 2


def test_a_server_that_does_not_say_goodbye_gets_one_only(due: Post) -> None:
    """It has accepted by then."""
    due.kill_at("QUIT")
    due.run(again=True)
    assert len(due.messages()) == 1


def test_what_was_not_noted_is_sent_again_only_after_a_while(due: Post) -> None:
    due.kill_at("DATA")
    standing = due.run()
    assert due.messages() == []
    letter = standing["state"]["letter"]
    assert letter["attempts"] == 1
    assert standing["look"] == letter["next_attempt"]
    assert 0 < letter["next_attempt"] - time.time() <= 60


def test_the_first_start_sends_nothing(tmp_path: Path) -> None:
    with post(tmp_path) as place:
        standing = place.run(again=True)
        assert standing["state"]["letter"] is None
        assert standing["next"] > time.time()
        assert place.script.said == []


def test_each_addressee_gets_one_though_another_is_refused(due: Post) -> None:
    due.script.answers[TO[0]] = "550 5.1.1 no such user"
    first = due.run()
    assert first["state"]["letter"]["accepted"] == [TO[1]]
    assert "no such user" in first["state"]["letter"]["troubles"][TO[0]]
    assert not first["state"]["letter"]["done"]
    assert first["state"]["overdue_since"] > 0
    del due.script.answers[TO[0]]
    second = due.run(again=True)
    assert second["state"]["letter"]["done"]
    asked = [line for line in due.script.said if line.startswith("RCPT")]
    assert asked == [f"RCPT TO:<{to}>" for to in (TO[0], TO[1], TO[0])]
    one, two = due.script.messages
    assert one == two


@pytest.mark.parametrize(
    ("point", "answer", "remedy", "pause"),
    [
        ("AUTH", "535 5.7.8 Username and Password not accepted. BadCredentials - gsmtp", "app password", 900),
        ("MAIL", "451 4.3.0 Try again later", "minutes", 60),
    ],
)
def test_what_is_refused_is_tried_again_as_often_as_it_makes_sense(
    due: Post, point: str, answer: str, remedy: str, pause: float
) -> None:
    due.script.answers[point] = answer
    before = time.time()
    standing = due.run()
    letter = standing["state"]["letter"]
    assert set(letter["troubles"]) == set(TO)
    assert remedy in letter["remedy"]
    assert pause <= letter["next_attempt"] - before <= pause + 60
    assert standing["state"]["failed"] == 1
    del due.script.answers[point]
    assert due.run(again=True)["state"]["letter"]["done"]
    assert len(due.messages()) == 1


def test_a_server_that_cannot_be_reached_is_told_in_words(due: Post) -> None:
    due.script.port = free_port()
    [trouble] = set(due.run()["state"]["letter"]["troubles"].values())
    assert "nothing listens on 127.0.0.1" in trouble


def test_the_next_days_report_takes_the_place_of_one_that_could_not_be_sent(due: Post) -> None:
    due.script.answers["MAIL"] = "451 4.3.0 Try again later"
    first = due.run()["state"]
    state = State.decode(first)
    assert state.letter is not None
    # A day passes.
    letter = replace(state.letter, due=state.letter.due - DAY)
    times = tuple(moment - DAY for moment in state.done.times)
    due.outbox.save(replace(state, letter=letter, done=replace(state.done, times=times)))
    del due.script.answers["MAIL"]
    second = due.run()["state"]
    assert second["letter"]["message_id"] != first["letter"]["message_id"]
    assert second["overdue_since"] == 0
    [message] = due.messages()
    assert "The report before this one could not be sent: 451 4.3.0 Try again later" in plain(message)
    assert list(due.outbox.directory.glob("*.eml")) == []


def test_a_state_that_cannot_be_written_does_not_keep_the_report_back_nor_send_it_twice(due: Post) -> None:
    with read_only(due.outbox.directory):
        first = due.run()
        assert first["unsaved"]
        assert f"cannot keep in {due.outbox.directory} which reports were sent" in first["problem"]
        assert len(due.messages()) == 1
        # The exporter brings along what could not be written.
        second = due.run(again=True, state=first["state"])
        assert second["unsaved"]
    third = due.run(again=True, state=second["state"])
    assert not third["unsaved"]
    assert due.run(again=True)["state"]["sent"] == 1
    assert len(due.messages()) == 1


def test_who_begins_again_and_again_where_nothing_can_be_kept_floods_nobody(due: Post) -> None:
    with read_only(due.outbox.directory):
        sent_once = due.run()
        assert sent_once["state"]["sent"] == 1
        for _ in range(4):
            held = due.run(again=True, since=time.time())
            assert "what was due before the start is not sent until that works" in held["problem"]
            assert (held["unsaved"], held["state"]["letter"]["done"]) == (True, False)
            # So the alert fires.
            assert held["state"]["overdue_since"] > 0
            assert held["look"] > time.time() + 30
        assert len(due.messages()) == 1
        still = due.run(state=held["state"], since=time.time())
        assert len(due.messages()) == 1
    assert due.run(again=True, state=still["state"], since=time.time())["state"]["sent"] == 1
    assert len(due.messages()) == 2


def test_what_waits_since_a_clock_of_the_future_is_overdue_at_once(due: Post) -> None:
    now = time.time()
    newest = (now - 2 * 3600) // DAY * DAY + 2 * 3600
    letter = Letter(newest, "<1@example.net>", attempts=1, next_attempt=now + 1800)
    due.outbox.save(State(Done("02:00 Etc/UTC", (newest,)), letter, overdue_since=now + 90 * DAY))
    assert now <= due.run()["state"]["overdue_since"] <= time.time()
    loaded = due.outbox.load()
    assert loaded is not None
    assert loaded.overdue_since <= time.time()
    assert due.messages() == []


def test_a_damaged_state_is_kept_beside_and_told_and_floods_nobody(due: Post) -> None:
    due.outbox.file.write_text('{"done": 5}')
    standing = due.run()
    assert "state.json" in standing["problem"]
    assert due.outbox.file.with_suffix(".damaged").read_text() == '{"done": 5}'
    again = due.run(again=True)
    assert again["problem"] == ""
    assert again["state"]["letter"] is None
    assert due.messages() == []


def test_a_message_that_was_lost_is_written_again_with_its_message_id(due: Post) -> None:
    due.kill_at("MAIL")
    [kept] = due.outbox.directory.glob("*.eml")
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_bytes(kept.read_bytes()[:-100])
    state = due.outbox.load()
    assert state is not None
    assert state.letter is not None
    due.run(again=True)
    [message] = due.messages()
    assert message["Message-ID"] == state.letter.message_id


def test_while_one_sends_another_does_not(due: Post) -> None:
    with due.outbox.locked() as ours:
        assert ours
        standing = due.run(again=True)
    assert standing["busy"]
    assert due.messages() == []
    assert len(due.run()["state"]["letter"]["accepted"]) == len(TO)


def test_the_report_goes_out_without_prometheus_and_says_so_first(due: Post) -> None:
    due.report = {"prometheus_url": f"http://127.0.0.1:{free_port()}"}
    started = time.monotonic()
    assert due.run()["state"]["letter"]["done"]
    assert time.monotonic() - started < 60
    [message] = due.messages()
    assert "Prometheus could not be asked" in plain(message)[:300]
    assert "INCOMPLETE" in message["Subject"]
