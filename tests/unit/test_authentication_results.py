"""Authentication-Results as servers write it."""

from __future__ import annotations

import pytest

from mailserver_exporter.sources.authentication_results import verdicts

NONE = {"spf": "none", "dkim": "none", "dmarc": "none"}

# Show original, in Gmail.
GMAIL = (
    "mx.google.com; dkim=pass header.i=@example.org header.s=dkim header.b=XYZ; spf=pass (google.com: domain of"
    " probe@example.org designates 192.0.2.1 as permitted sender) smtp.mailfrom=probe@example.org;"
    " dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.org"
)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (GMAIL, {"spf": "pass", "dkim": "pass", "dmarc": "pass"}),
        ("mail.example.org; none", {}),
        ("mail.example.org 1; spf=none smtp.mailfrom=a.example", {}),
        ("mail.example.org; spf=softfail smtp.mailfrom=a.example; dkim=temperror", {"spf": "fail", "dkim": "fail"}),
        ("mail.example.org; dkim=fail; dkim=pass header.d=a.example", {"dkim": "pass"}),
        ("mail.example.org; dkim=pass header.d=a.example; dkim=fail", {"dkim": "pass"}),
        ("mail.example.org; DMARC / 1 = Pass; SPF=neutral", {"dmarc": "pass", "spf": "fail"}),
        ("mail.example.org; auth=pass smtp.auth=probe (spf=pass; dkim=pass (nested; dmarc=pass))", {}),
        ("spf=pass", {}),
        ("", {}),
        (";;; =", {}),
    ],
)
def test_what_a_server_thought(header: str, expected: dict[str, str]) -> None:
    assert verdicts(header) == NONE | expected


@pytest.mark.parametrize(
    ("header", "counts"),
    [
        ("mail.example.org; spf=pass", True),
        ("example.org; spf=pass", True),
        ("MX.Example.Org 1; spf=pass", True),
        ("badexample.org; spf=pass", False),
        ("example.org.evil.test; spf=pass", False),
        ("mx.google.com; spf=pass", False),
    ],
)
def test_only_a_server_of_ours_is_believed_where_ours_is_known(header: str, counts: bool) -> None:
    assert verdicts(header, ["example.org"])["spf"] == ("pass" if counts else "none")


def test_a_hostile_header_costs_no_time() -> None:
    assert verdicts("x; " + "(" * 50_000 + "spf=pass" + ")" * 50_000) == NONE
