"""Write the tables of the README (``make generate``): metrics, alerts and limits, from where they are defined.

Each stands between ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``. tests/unit/test_readme.py holds them current.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import groupby
from typing import Any

import yaml

from mailserver_exporter.settings.limits import DurationLimit, Limit, Limits, RatioLimit
from tests.support import golden
from tests.support.golden import Family
from tests.support.tools import ROOT

README = ROOT / "README.md"
REPOSITORY = "https://github.com"

# Whose names they are, and whether the README shows each metric or only each group of them.
PEERS = {
    "node_": ("node_exporter", f"{REPOSITORY}/prometheus/node_exporter#enabled-by-default", False),
    "container_": ("cAdvisor", f"{REPOSITORY}/google/cadvisor/blob/master/docs/storage/prometheus.md", False),
    "process_": ("client libraries", "https://prometheus.io/docs/instrumenting/writing_clientlibs/", False),
    "probe_": ("blackbox_exporter", f"{REPOSITORY}/prometheus/blackbox_exporter", True),
    "postfix_": ("postfix_exporter", f"{REPOSITORY}/Hsn723/postfix_exporter", True),
    "apt_": ("apt_info.py", f"{REPOSITORY}/prometheus-community/node-exporter-textfile-collector-scripts", True),
    "f2b_": ("fail2ban-prometheus-exporter", "https://gitlab.com/hctrdev/fail2ban-prometheus-exporter", True),
}
_OWN = "mailserver_"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def plain(text: str) -> str:
    """Return a text without meaning to Markdown or HTML."""
    for character, instead in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("*", "\\*")):
        text = text.replace(character, instead)
    return text


# Metrics


def metrics(families: Sequence[Family]) -> str:
    """Return the tables of metrics: our own and the rarer ones in full, then the groups that have others' names."""
    shown = [family for family in families if family.name.startswith(_OWN)]
    shown += [f for prefix, (_, _, full) in PEERS.items() if full for f in families if f.name.startswith(prefix)]
    rows = [
        (f"`{f.name}`", f.kind, ", ".join(f"`{label}`" for label in f.labels.split(",") if label), plain(f.help))
        for f in shown
    ]
    groups = [
        (f"[{peer}]({link})", _groups(prefix, families)) for prefix, (peer, link, full) in PEERS.items() if not full
    ]
    unknown = [f.name for f in families if not f.name.startswith((_OWN, *PEERS))]
    assert not unknown, f"tests/support/readme.py does not know whose names these are: {unknown}"
    return (
        table(("metric", "type", "labels", "help"), rows)
        + "\nThe host and its containers are measured under the names, labels and units of others:\n\n"
        + table(("named as in", "metrics"), groups)
    )


def _groups(prefix: str, families: Sequence[Family]) -> str:
    """Return the metrics of one prefix in short: those that begin alike as a group with their number."""
    names = sorted(family.name for family in families if family.name.startswith(prefix))
    groups = [list(group) for _, group in groupby(names, lambda name: name.split("_")[1])]
    short = ", ".join(
        f"`{prefix}{group[0].split('_')[1]}_*` ({len(group)})" if len(group) > 1 else f"`{group[0]}`"
        for group in groups
    )
    return f"`{prefix}*` ({len(names)})" if prefix == "process_" else short


# Alerts


def alerts() -> str:
    """Return the table of alerts, in the order of the rule files."""
    return table(("alert", "severity", "after", "what it says"), [_alert(rule) for rule in _alerting_rules()])


def _alerting_rules() -> Iterator[dict[str, Any]]:
    for path in sorted((ROOT / "rules").glob("*.rules.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from (rule for rule in group["rules"] if "alert" in rule)


def _alert(rule: dict[str, Any]) -> tuple[str, str, str, str]:
    name = rule["alert"]
    limits = sorted(set(re.findall(r"mailserver_threshold_(\w+)", rule["expr"])))
    severity = rule.get("labels", {}).get("severity") or "by limit " + ", ".join(f"`{limit}`" for limit in limits)
    severity = severity.replace("limit `dns_check`", "check, `dns.severity`")
    link = f"[{name}](rules/runbooks/{name}.md)"
    return link, severity, rule.get("for", "at once"), readable(rule["annotations"]["summary"])


def readable(summary: str) -> str:
    """Return a summary with its placeholders as words in italics; every alert names its host, so that is left out."""
    text = plain(re.sub(r"\s*\{\{- range .*?\}\}", "", summary, flags=re.DOTALL)).removeprefix(
        "{{ $labels.instance }}: "
    )
    text = re.sub(r"\{\{-? end -?\}\}", "", text)
    text = re.sub(r"\{\{ *(?:\$labels|\.Labels)\.(\w+)[^}]*\}\}", r"*\1*", text)
    text = re.sub(r"\{\{[^}]*humanizePercentage[^}]*\}\}", "*N %*", text)
    text = re.sub(r"\{\{[^}]*humanizeDuration[^}]*\}\}", "*a time*", text)
    text = re.sub(r"\{\{ *(?:\$value|\.Value)[^}]*\}\}", "*N*", text)
    assert "{{" not in text, f"tests/support/readme.py cannot make this readable: {summary}"
    return re.sub(r"\s+", " ", text).strip()


# Limits


def limits(families: Sequence[Family]) -> str:
    """Return the table of limits with their defaults."""
    helps = {family.name: family.help for family in families}
    rows = []
    for field in fields(Limits):
        limit = getattr(Limits(), field.name)
        what = helps[f"mailserver_threshold_{field.name}"].removeprefix("Limit of ").rstrip(".")
        rows.append(
            (f"`{field.name}`", plain(what), *(_limit(limit, name) for name in ("info", "warning", "critical")))
        )
    return table(("`limits:`", "what is limited", "info", "warning", "critical"), rows)


def _limit(limit: Limit, severity: str) -> str:
    """Return a limit as config.yml would have it."""
    value = dict(limit.severities()).get(severity)
    if value is None:
        return ""
    if isinstance(limit, DurationLimit):
        for unit, seconds in (("d", 86_400), ("h", 3600), ("m", 60)):
            if value % seconds == 0:
                return f"{value / seconds:g}{unit}"
        return f"{value:g}s"
    return f"{value:g}" + (f" ({value:.0%})" if isinstance(limit, RatioLimit) else "")


# The file


def generated(text: str) -> str:
    """Return the README with its tables made anew; raises ValueError where a marker is missing."""
    families = golden.committed()
    for name, content in (("metrics", metrics(families)), ("alerts", alerts()), ("limits", limits(families))):
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise ValueError(f"the README needs {begin} and {end}, once each")
        before, _, rest = text.partition(begin)
        after = rest.partition(end)[2]
        text = f"{before}{begin}\n{content}{end}{after}"
    return text


def main() -> int:
    """Write, or say whether that is needed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="write the tables; without it exit 1 if they are not current"
    )
    write = parser.parse_args().write
    old = README.read_text(encoding="utf-8")
    new = generated(old)
    if old == new:
        return 0
    if not write:
        print("the tables of README.md are not current, run make generate", file=sys.stderr)
        return 1
    README.write_text(new, encoding="utf-8")
    print(f"written: {README}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
