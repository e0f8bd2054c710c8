"""The command ``probe``: what its arguments stand for."""

from __future__ import annotations

import json
import shlex

import pytest

from mailserver_exporter import probe_story
from mailserver_exporter.cli import main
from mailserver_exporter.sources.probe import Target
from tests.support.listeners import listener, speaks

pytestmark = pytest.mark.usefixtures("own_log")


@pytest.mark.parametrize(
    ("address", "module", "target"),
    [
        ("25", None, Target("127.0.0.1", 25, "smtp_starttls")),
        ("mail.example.org:993", None, Target("mail.example.org", 993, "imap_tls")),
        ("[::1]:995", None, Target("::1", 995, "pop3_tls")),
        ("2525", "smtp", Target("127.0.0.1", 2525, "smtp")),
        ("2525", "smtp_starttls", Target("127.0.0.1", 2525, "smtp_starttls", require_tls=True)),
    ],
)
def test_understands_addresses(address: str, module: str | None, target: Target) -> None:
    assert probe_story.target(address, module) == target


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["host:0"],
        ["::1:25"],
        ["70000"],
        ["2525"],
        ["25", "--module=x"],
        ["25", "--text=x"],
        ["443", "--path=x"],
    ],
)
def test_wrong_use_is_told_and_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", *arguments]) == 2

    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1


def test_a_web_page_has_a_path_a_text_and_a_name() -> None:
    found = probe_story.target("8443", None, name="mail.example.org", path="/SOGo", text="Login")

    assert found == Target("127.0.0.1", 8443, "https", path="/SOGo", text="Login", server_name="mail.example.org")


def test_help_teaches_by_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["probe", "--help"])

    output = capsys.readouterr().out
    assert caught.value.code == 0
    for line in output.partition("Examples:")[2].splitlines():
        if line.strip():
            words = shlex.split(line.strip())
            assert words[0] == "probe"
            assert probe_story.target(words[1], "smtp_starttls" if "--module" in words else None)


def test_tells_the_story_of_a_port_that_is_up(capsys: pytest.CaptureFixture[str]) -> None:
    with listener(speaks(b"220 mx ESMTP\r\n", b"221 bye\r\n")) as port:
        assert main(["probe", str(port), "--module=smtp"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(f"ms  connected to 127.0.0.1 port {port}")
    assert lines[1].endswith("ms  < 220 mx ESMTP")
    assert lines[-1].startswith(f"127.0.0.1:{port} smtp: up after ")
    assert not any("QUIT" in line for line in lines)


def test_shows_every_line_when_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    with listener(speaks(b"220 mx ESMTP\r\n", b"221 bye\r\n")) as port:
        assert main(["probe", str(port), "--module=smtp", "--verbose"]) == 0

    output = capsys.readouterr().out
    assert "> QUIT" in output
    assert "< 221 bye" in output


def test_tells_a_script_why_a_port_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    with listener(speaks(b"")) as port:
        assert main(["probe", str(port), "--module=imap", "--timeout=0.2", "--json"]) == 1

    story = json.loads(capsys.readouterr().out)
    assert story["success"] is False
    assert story["reason"] == "timeout"
    assert story["message"] == "no greeting within 0.2 s"
    assert [step["text"] for step in story["steps"]] == [
        f"connected to 127.0.0.1 port {port}",
        "timeout: no greeting within 0.2 s",
    ]
