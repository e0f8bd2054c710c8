"""The README: its tables are current, and what it names exists."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mailserver_exporter import __version__, cli_parser
from mailserver_exporter.config import Config
from mailserver_exporter.schema import read_text
from run_stack import PORTS
from tests.support import readme
from tests.support.tools import ROOT

TEXT = readme.README.read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
SERVICES = yaml.safe_load((ROOT / "compose" / "compose.yml").read_text(encoding="utf-8"))["services"]


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def commands() -> Iterator[list[str]]:
    """Yield the words of each command in a block or in the text."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE))
    for line in lines:
        for command in re.split(r" && |; ", line.partition(" #")[0]):
            with contextlib.suppress(ValueError):  # a lone quote: not a command
                yield shlex.split(command)


def after(program: str) -> list[list[str]]:
    """Return the arguments with which a program is called, wherever it is and whatever calls it."""
    found = []
    for words in commands():
        places = [place for place, word in enumerate(words) if word.rpartition("/")[2] == program]
        if places:
            found.append(words[places[0] + 1 :])
    return found


def test_the_tables_are_current() -> None:
    assert readme.generated(TEXT) == TEXT, "run make generate"


def test_a_missing_marker_is_told() -> None:
    with pytest.raises(ValueError, match="metrics:begin"):
        readme.generated("no tables here")


def test_every_alert_and_every_own_metric_is_in_a_table() -> None:
    for path in (ROOT / "rules" / "runbooks").glob("*.md"):
        assert f"[{path.stem}](rules/runbooks/{path.name})" in TEXT
    for family in readme.golden.committed():
        if not family.name.startswith(("node_", "container_", "process_")):
            assert f"| `{family.name}` |" in TEXT


def test_summaries_are_made_readable() -> None:
    summary = (
        "{{ $labels.instance }}: {{ $labels.mountpoint }} is {{ $value | humanizePercentage }} full "
        '{{- range query (printf "up{job=%q}" $labels.job) }}, {{ .Labels.reason }} fails{{ end }}'
    )
    assert readme.readable(summary) == "*mountpoint* is *N %* full, *reason* fails"
    with pytest.raises(AssertionError, match="readable"):
        readme.readable("{{ template }}")


LINKS = sorted({link for link in re.findall(r"\]\(([^)\s]+)\)", TEXT) if "://" not in link})


@pytest.mark.parametrize("link", LINKS)
def test_relative_links_lead_somewhere(link: str) -> None:
    path, _, anchor = link.partition("#")
    assert (ROOT / path).exists()
    assert not anchor, "anchors are checked by nobody: link to the file"


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:grafana|compose|rules|exporter|tests)/[^`*{]+)`", TEXT))))
def test_files_that_are_named_exist(path: str) -> None:
    ignored = [line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
    assert (ROOT / path).exists() or path.strip("/") in ignored


TARGETS = [words for words in after("make") if words]


@pytest.mark.parametrize("words", TARGETS, ids=" ".join)
def test_make_knows_its_targets(words: list[str]) -> None:
    variables = {"ARGS", *(f"{name.upper()}_PORT" for name in PORTS)}
    for word in words:
        name, equals, _ = word.partition("=")
        known = name in variables if equals else re.search(rf"^{re.escape(word)}:", MAKEFILE, re.MULTILINE)
        assert known, word


def test_every_target_of_make_is_in_the_readme() -> None:
    targets = re.search(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)
    assert targets
    assert {*targets[1].split()} - {"help"} <= {word for words in TARGETS for word in words}


CALLS = after("mailserver-exporter")


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_the_command_line_takes_what_the_readme_says(words: list[str]) -> None:
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            cli_parser.parser().parse_args(words)
        except SystemExit:
            pytest.fail(said.getvalue())


def test_every_command_is_in_the_readme() -> None:
    [known] = [
        action.choices for action in cli_parser.parser()._actions if isinstance(action, argparse._SubParsersAction)
    ]
    assert set(known) <= {words[0] for words in CALLS if words}


def test_flags_that_are_named_exist() -> None:
    parsers = [cli_parser.parser()]
    for action in parsers[0]._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers += action.choices.values()
    known = {option for parser in parsers for action in parser._actions for option in action.option_strings}
    named = {words[0].partition("=")[0] for words in commands() if words and words[0].startswith("--")}
    assert named
    assert named <= known


def test_compose_knows_the_services_and_profiles_that_are_named() -> None:
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", ())}
    calls = [words[1:] for words in after("docker") if words[:1] == ["compose"]]
    assert calls
    for words in calls:
        if words[0] == "--profile":
            assert words[1] in profiles
        if words[0] in ("exec", "logs"):
            assert next(word for word in words[1:] if not word.startswith("-")) in SERVICES


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.split(":")[0])
def test_examples_of_the_configuration_are_valid(block: str) -> None:
    read_text(block, "README.md", Config())


def test_all_settings_are_shown_with_their_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    [block] = [block for block in blocks("yaml") if block.startswith("hostname:")]
    assert replace(read_text(block, "README.md", Config()), hostname=None) == Config()
    shown = yaml.safe_load(block)
    for path in settings(Config(), ()):
        place: Any = shown
        for name in path:
            assert name in place, ".".join(path)
            place = place[name]
    for name in ("telegram", "email", "heartbeat"):
        kind = next(kind for kind in channels() if kind.__name__.lower() == name)
        comment = re.search(rf"^  {name}: null +# (.+)$", block, re.MULTILINE)
        assert comment
        assert {field.name for field in fields(kind)} == set(comment[1].split(", "))


def channels() -> list[Any]:
    from mailserver_exporter.settings import notifications

    return [notifications.Telegram, notifications.Email, notifications.Heartbeat]


def settings(section: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of each setting; limits have a table of their own."""
    for field in fields(section):
        here = (*path, field.name)
        value = getattr(section, field.name)
        if is_dataclass(value) and here != ("limits",):
            yield from settings(value, here)
        else:
            yield here


def test_the_picture_is_there_and_small_enough_for_a_phone() -> None:
    picture = (ROOT / "grafana" / "overview.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(picture) < 400_000


def test_the_changelog_knows_the_version() -> None:
    assert f"## [{__version__}]" in Path(ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
