"""Nothing that goes wrong while the report is made keeps it from going out."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from datetime import datetime, timezone
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report import message, networks, run
from mailserver_exporter.report.model import Report, Section
from mailserver_exporter.report.networks import Networks
from mailserver_exporter.report.period import Period
from mailserver_exporter.report.prometheus import Prometheus, PrometheusError
from mailserver_exporter.report.sections import alerts, exporter
from mailserver_exporter.schema import read_text
from mailserver_exporter.settings.notifications import Email

END = datetime(2026, 11, 22, 2, tzinfo=timezone.utc)
EMAIL = Email(to=("you@example.net",), sender="watch@example.net")


def part(name: str, measure: Callable[..., Any] = lambda _: "facts", show: Callable[..., Section] | None = None) -> Any:
    """Return a part of the report, as a module of sections/ is one."""
    show = show or (lambda _facts, _say: Section(name.capitalize(), "all is well", "good"))
    return SimpleNamespace(
        __name__=f"sections.{name}", measure=measure, show=show, advise=lambda _facts, _say: iter(())
    )


def fail(error: Exception) -> Callable[..., Any]:
    def raise_it(*_: object) -> Any:
        raise error

    return raise_it


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Report]:
    """Return how to make a report of parts, with a Prometheus that knows the host."""
    monkeypatch.setattr(Prometheus, "measured", lambda _self: 1.0)

    def made(*parts: Any, language: str = "en", missed: str = "") -> Report:
        monkeypatch.setattr(run, "PARTS", parts)
        config = read_text(f"{{hostname: mail.example.org, state_directory: {tmp_path}}}", "config.yml", Config())
        return run.make(run.Order(config, Host("/"), Period.before(END), language, "http://127.0.0.1:1", missed=missed))

    return made


def titles(report: Report) -> list[str]:
    return [section.title for section in report.sections]


@pytest.mark.parametrize(
    "broken",
    [
        part("queue", measure=fail(KeyError("unforeseen"))),
        part("queue", show=fail(ZeroDivisionError("unforeseen"))),
        part("queue", show=fail(MemoryError("unforeseen"))),
    ],
)
def test_a_fault_in_one_section_is_told_and_keeps_no_other_back(
    make: Callable[..., Report], broken: Any, caplog: pytest.LogCaptureFixture
) -> None:
    report = make(part("host"), broken, part("mail"))
    assert titles(report) == ["Host", "Mail"]
    [problem] = report.problems
    assert problem.startswith("A fault in this program keeps back what is known of queue: ")
    assert "unforeseen" in problem
    assert report.state == "warning"
    assert "Traceback" in caplog.text


def test_what_prometheus_refuses_is_told_once(make: Callable[..., Report]) -> None:
    error = PrometheusError("http://127.0.0.1:1 is too slow")
    report = make(part("host"), part("queue", measure=fail(error)), part("mail", measure=fail(error)))
    assert titles(report) == ["Host"]
    assert report.problems == ("Prometheus could not be asked: http://127.0.0.1:1 is too slow",)


def test_without_prometheus_the_exporter_tells_what_it_knows(
    make: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Prometheus, "measured", fail(PrometheusError("it is gone")))
    monkeypatch.setattr(exporter, "own_knowledge", lambda *_: exporter.Facts(now=END.timestamp()))
    report = make(part("host", measure=fail(PrometheusError("it is gone"))))
    assert len(report.sections) == 1
    assert report.problems == ("Prometheus could not be asked: it is gone",)


def test_a_prometheus_that_knows_nothing_of_the_host_is_told(
    make: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Prometheus, "measured", lambda _self: None)
    monkeypatch.setattr(exporter, "own_knowledge", lambda *_: exporter.Facts(now=END.timestamp()))
    report = make(part("host", measure=lambda _: None), language="de")
    assert report.problems == (
        "Prometheus unter http://127.0.0.1:1 hat in dieser Zeit nichts von mail.example.org gemessen",
    )


def test_the_logs_are_read_though_prometheus_knows_nothing_of_logins(
    make: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mailserver_exporter.report.sections import security

    at = {"first": END, "last": END}
    found = networks.Network("192.0.2.0/24", 99, {"sshd": 99}, 1, "192.0.2.1", **at)
    monkeypatch.setattr(networks, "worst", lambda *_, **__: Networks((found,), 99))
    monkeypatch.setattr(security, "measure", fail(PrometheusError("it is gone")))
    report = make(security)
    assert "192.0.2.1" in repr(report.sections)
    assert report.problems == ("Prometheus could not be asked: it is gone",)


def test_a_log_that_cannot_be_read_is_told_though_nothing_else_is_known_of_logins(
    make: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mailserver_exporter.report.sections import security

    monkeypatch.setattr(networks, "worst", lambda *_, **__: Networks(problems=("auth.log: Permission denied",)))
    monkeypatch.setattr(security, "measure", lambda _: None)
    assert "auth.log: Permission denied" in repr(make(security).sections)


def test_an_alert_log_that_cannot_be_read_is_told(
    make: Callable[..., Report], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "measure", lambda _: alerts.Facts(()))
    (tmp_path / "alerts.jsonl").mkdir()
    report = make(alerts, part("host"))
    assert titles(report) == ["Alerts", "Host"]
    assert report.problems[0].startswith("The alert log cannot be read: ")


def test_it_says_that_the_one_before_could_not_be_sent(make: Callable[..., Report]) -> None:
    report = make(part("host"), missed="535 5.7.8 not accepted")
    assert report.problems == ("The report before this one could not be sent: 535 5.7.8 not accepted",)


def test_what_cannot_be_drawn_goes_out_without_its_details(
    make: Callable[..., Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    report = make(part("host"))
    build = message.build

    def fragile(report: Report, *rest: Any) -> bytes:
        if report.sections:
            raise OSError("no letters")
        return build(report, *rest)

    monkeypatch.setattr(message, "build", fragile)
    data = run.write(report, EMAIL, "<1@example.net>")
    found = cast("EmailMessage", email.message_from_bytes(data, policy=email.policy.default))
    assert found["Message-ID"] == "<1@example.net>"
    body = found.get_body(("plain",))
    assert body is not None
    assert "A fault in this program keeps the details back: OSError: no letters" in " ".join(body.get_content().split())
