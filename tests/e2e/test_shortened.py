"""What the catalogue runs with is what is shipped, but for its times."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e import shortened, transcript
from tests.support.tools import ROOT

_WINDOW = re.compile(r"\[[^]{}]*\]|(?<=offset )\w+|(?<=\], )[\d* ]+(?: / 60)?(?=\))")


def without_times(text: str) -> Any:
    content = yaml.safe_load(text)
    for group in content["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule["expr"] = _WINDOW.sub("TIME", rule["expr"])
            for key in ("for", "keep_firing_for"):
                rule[key] = key in rule
    return content


@pytest.mark.parametrize("file", sorted((ROOT / "rules").glob("*.rules.yml")), ids=lambda file: file.name)
def test_only_times_are_changed(file: Path) -> None:
    shipped = file.read_text()
    changed = shortened.rules(shipped)
    assert without_times(changed) == without_times(shipped)
    for before, after in zip(_rules(shipped), _rules(changed), strict=True):
        if "for" in before:
            assert shortened.seconds(after["for"]) == pytest.approx(shortened.seconds(before["for"]) / 16, abs=0.001)


def _rules(text: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(
    ("summary", "essence"),
    [
        ("the certificate of 127.0.0.1:443 expires in 2d 23h 59m 58s", "the certificate of 127.0.0.1:443 expires in #"),
        ("mail-1: /srv/2 is 93.4% full", "mail-1: /srv/2 is # full"),
        (
            "container a-1 restarts in a loop (5 restarts so far)",
            "container a-1 restarts in a loop (# restarts so far)",
        ),
        ("127.0.0.1:25 (smtp) does not work, timeout fails", "127.0.0.1:25 (smtp) does not work"),
    ],
)
def test_summaries_are_compared_without_what_may_change(summary: str, essence: str) -> None:
    assert transcript.essence(summary) == essence
