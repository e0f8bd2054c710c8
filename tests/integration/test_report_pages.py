"""The report's pages as a phone and a computer show them, in a real browser; and their template in the real wheel."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from mailserver_exporter.report import html, message
from mailserver_exporter.report.compose import compose
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Report
from mailserver_exporter.report.prometheus import Prometheus
from mailserver_exporter.report.sections import PARTS, alerts
from mailserver_exporter.report.words import shown
from tests.support import reports
from tests.support.browser import COMPUTER, PHONE, Browser
from tests.support.history import SCENARIOS, History
from tests.support.tools import ROOT

WRITTEN = {**reports.DAYS, "bad_german": lambda: reports.bad("de"), "hostile": reports.hostile}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as shown:
        yield shown


def page(report: Report) -> str:
    # A picture of the size that it has in the message, without drawing it.
    picture = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='840' height='420'/>"
    report = html.fitted(report)
    return html.page(report, {chart.name: picture for section in report.sections for chart in section.charts})


def bare(text: str) -> str:
    """Return a page as Gmail's app shows it for an account that is not Google's."""
    return re.sub(r"(?s)<style>.*?</style>", "", text)


@pytest.mark.parametrize("name", WRITTEN)
def test_nothing_has_to_be_pushed_sideways(browser: Browser, name: str) -> None:
    text = page(WRITTEN[name]())
    for width in (PHONE, COMPUTER):
        assert browser.measure(text, width) == width
        assert browser.measure(bare(text), width) == width


@pytest.mark.parametrize("name", [name for name in WRITTEN if name != "hostile"])
def test_what_is_shown_is_what_was_measured(browser: Browser, name: str) -> None:
    report = WRITTEN[name]()
    seen = " ".join(browser.text(page(report), PHONE).split())
    for section in report.sections:
        told = [section.title, section.summary, *section.notes]
        told += [shown(cell) for table in section.tables for row in table.rows for cell in row]
        for each in told:
            assert " ".join(each.split()) in seen
    assert not re.search(r"[{}]{2}|%}", seen.replace("{{json .State.Health}}", ""))


def test_a_page_looks_different_in_the_dark(browser: Browser, tmp_path: Path) -> None:
    message.files(reports.bad(), tmp_path)
    light = browser.screenshot(tmp_path / "report.html", PHONE)
    dark = browser.screenshot(tmp_path / "report.html", PHONE, dark=True)
    assert _brightness(light) > 0.8
    assert _brightness(dark) < 0.45


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_weeks_of_a_mail_host_make_a_page_that_fits(browser: Browser, scenario: str, language: str) -> None:
    with History(scenario) as history:
        prometheus = Prometheus(history.url, history.instance, history.period)
        facts = {part: part.measure(prometheus) for part in PARTS}
    facts[alerts] = alerts.merge(facts[alerts], (), history.instance, history.period)
    say = Language(language, history.period.zone)
    report = compose(history.instance, history.period, history.period.end, say, facts.items())
    text = page(report)
    assert len(text.encode()) < 100_000
    for width in (PHONE, COMPUTER):
        assert browser.measure(text, width) == width
    assert report.state == {"good": "good", "bad": "critical"}.get(scenario, report.state)


def test_the_template_travels_in_the_wheel(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    code = "from mailserver_exporter.report import html; print(html.__file__); html._template()"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r}); {code}"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert found.stdout.startswith(str(installed))


def _brightness(picture: Path) -> float:
    """Return how bright a picture is on the whole, from 0 to 1."""
    return Image.open(picture).convert("L").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) / 255  # type: ignore[operator]
