"""The report of a large host: 500 containers and 40 file systems more, on a bad day, and no more memory than it has."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import cast

from tests.benchmarks.report import MAX_BYTES, MAX_SECONDS, _prometheus, _report
from tests.support.report_post import post


def test_a_large_host_makes_a_small_report(tmp_path: Path) -> None:
    with post(tmp_path) as place, _prometheus(tmp_path / "prometheus", 500) as url:
        _, cpu, peak, _ = _report(place, url)
        sent = place.script.messages[-1]
    # A machine that is busy with other things gives it less than a core.
    assert cpu < MAX_SECONDS
    assert peak < MAX_BYTES
    message = cast("EmailMessage", email.message_from_bytes(sent, policy=email.policy.default))
    page = message.get_body(("html",))
    assert page is not None
    text = page.get_content()
    assert len(text.encode()) < 100_000
    assert "/srv/customers/39" in text
    assert "shop-0-with-a-rather-long-name" in text
