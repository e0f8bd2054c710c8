"""The page at ``/``: what is watched, what is not, what fails and how to mend it. No script, one request."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import fields
from html import escape

from mailserver_exporter import __version__
from mailserver_exporter.app import App
from mailserver_exporter.settings.limits import Limits

_STYLE = """
:root{color-scheme:light dark}body{font:16px/1.4 system-ui,sans-serif;margin:1.5rem auto;max-width:60rem;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884;vertical-align:top}
td:last-child{overflow-wrap:anywhere;width:99%}
@media(max-width:40rem){body{font-size:14px;padding:0 .5rem}td,th{padding:.3rem .5rem .3rem 0}}
.good{color:#18794e}.bad{color:#cd2b31;font-weight:600}.off{opacity:.65}small{opacity:.8}
@media(prefers-color-scheme:dark){.good{color:#4cc38a}.bad{color:#ff8589}}
"""


def render(app: App) -> str:
    """Return the page as HTML; everything that comes from outside is escaped."""
    setup = app.setup
    stack = setup.context.mailstack.get()
    hostname = setup.config.hostname or setup.context.host.hostname()
    parts = [
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>mailserver-exporter on {escape(hostname)}</title><style>{_STYLE}</style>",
        f"<h1>mailserver-exporter on {escape(hostname)}</h1>",
        f"<p>Version {escape(__version__)}, up {_ago(time.time() - app.started)}. ",
        f"Mail stack: {escape(f'{stack.kind} {stack.directory}'.strip())}. <a href=/metrics>/metrics</a></p>",
    ]
    problems = [app.reload_error, setup.context.expectations.problem, stack.problem]
    parts += [f"<p class=bad>{escape(problem)}</p>" for problem in problems if problem]
    parts.append("<h2>Collectors</h2>")
    parts.append(_table(("collector", "state", "what"), _collector_rows(app)))
    parts.append("<h2>Limits</h2>")
    parts.append(_table(("limit", "value"), _limit_rows(setup.config.limits)))
    off = setup.config.switched_off()
    if off:
        parts.append(f"<p>Switched off in the configuration: {escape(', '.join(off))}</p>")
    expected = setup.context.expectations.everything()
    parts.append("<h2>Expected, because it was seen once</h2>")
    parts.append(_table(("kind", "names"), [(escape(k), escape(", ".join(names))) for k, names in expected.items()]))
    parts.append(
        "<p><small>What was removed on purpose: <code>mailserver-exporter forget NAME</code></small></p></html>"
    )
    return "".join(parts)


def _collector_rows(app: App) -> Iterable[tuple[str, str, str]]:
    for state, outcome in app.setup.collection.status():
        name = escape(state.collector.name)
        if not state.watched:
            yield name, "<span class=off>not watched</span>", f"<span class=off>{escape(state.detection.detail)}</span>"
        elif outcome.error:
            yield name, "<span class=bad>failed</span>", _problem(outcome.error, outcome.remedy)
        else:
            took = f"{outcome.seconds * 1000:.1f} ms"
            detail = state.collector.found() or state.detection.detail
            yield name, "<span class=good>works</span>", f"{escape(detail)} <small>({took})</small>"
            for finding in state.collector.findings():
                if finding.state == "bad":
                    yield (
                        escape(finding.subject),
                        "<span class=bad>bad</span>",
                        _problem(finding.detail, finding.remedy),
                    )


def _problem(what: str, remedy: str) -> str:
    return escape(what) + (f"<br><small>{escape(remedy)}</small>" if remedy else "")


def _limit_rows(limits: Limits) -> Iterable[tuple[str, str]]:
    for limit in fields(Limits):
        values = [
            f"{severity} {_value(limit.name, value)}" for severity, value in getattr(limits, limit.name).severities()
        ]
        yield escape(limit.name), escape(", ".join(values) or "switched off")


def _value(name: str, value: float) -> str:
    if name.endswith("_ratio"):
        return f"{value:.0%}"
    if name.endswith("_seconds"):
        return _ago(value)
    return f"{value:g}"


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return "<table><tr>" + "".join(f"<th>{cell}</th>" for cell in head) + f"</tr>{body}</table>"
