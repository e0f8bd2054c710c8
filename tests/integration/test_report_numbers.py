"""The numbers of the report, read back from the message that a mail server was given, against what was recorded."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest

from tests.benchmarks.report import _report
from tests.support.history import SCENARIOS, History
from tests.support.history_host import START
from tests.support.history_series import DAY, END, Span
from tests.support.report_post import post

DELIVERIES = "mailserver_postfix_deliveries_total"


def numbers(text: str, name: str) -> list[float]:
    """Return the numbers of a row of a table."""
    [row] = re.findall(rf"(?m)^{re.escape(name)}((?: +[\d,.–]+%?)+)", text)  # noqa: RUF001
    return [float(each.strip("%").replace(",", "")) for each in re.findall(r"[\d,.]+%?", row)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_was_sent_is_what_was_recorded(scenario: str, tmp_path: Path) -> None:
    with History(scenario) as history, post(tmp_path) as place:
        _report(place, history.url)
        sent = place.script.messages[-1]
    message = cast("EmailMessage", email.message_from_bytes(sent, policy=email.policy.default))
    body = message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    days = (0,) if scenario == "first_day" else (0, DAY, 7 * DAY)

    def rose(name: str, **labels: str) -> list[float]:
        return [history.increase(name, Span(START - day, END - day + 1), **labels) for day in days]

    def at_end(name: str, **labels: str) -> float:
        return [value for at, value in history.series(name, **labels) if at <= END][-1]

    assert numbers(text, "sent to other servers") == rose(DELIVERIES, service="smtp", status="sent")
    assert numbers(text, "bounced") == rose(DELIVERIES, status="bounced")
    assert numbers(text, "deferred (attempts)") == rose(DELIVERIES, status="deferred")
    assert numbers(text, "rejected by the spam filter") == rose("mailserver_postfix_milter_rejects_total")
    assert numbers(text, "SSH: refused") == rose("mailserver_sshd_failed_passwords_total")
    assert numbers(text, "SSH: unknown users") == rose("mailserver_sshd_invalid_users_total")
    free, total = (at_end(f"node_memory_{name}_bytes") for name in ("MemAvailable", "MemTotal"))
    assert numbers(text, "Memory")[0] == pytest.approx(100 * (1 - free / total), abs=1)
    swap_free, swap = (at_end(f"node_memory_Swap{name}_bytes") for name in ("Free", "Total"))
    assert numbers(text, "Swap")[0] == pytest.approx(100 * (1 - swap_free / swap), abs=1)
    for mountpoint in ("/", "/boot", "/var/vmail"):
        size, left, avail = (
            at_end(f"node_filesystem_{what}_bytes", mountpoint=mountpoint) for what in ("size", "free", "avail")
        )
        [used] = re.findall(rf"(?m)^(?:✖ )?{mountpoint}: Used (?:✖ )?([\d.]+)%", text)
        assert float(used) == pytest.approx(100 * (1 - avail / (size - left + avail)), abs=0.06)
    [waiting] = numbers(text, "waiting now")
    queues = history.matching("postfix_showq_queue_depth")
    wanted = [each for each in queues if each.labels["queue"] in ("maildrop", "incoming", "active", "deferred")]
    assert waiting == sum([value for at, value in each.points() if at <= END][-1] for each in wanted)
