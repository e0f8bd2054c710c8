"""What ``check`` asks those who judge and tell: does Prometheus scrape us and know our rules, do alerts find their way?

From Prometheus' HTTP API (prometheus.io/docs/prometheus/latest/querying/api, /api/v1) and Alertmanager's (its
api/v2/openapi.yaml). Whatever answers at these addresses is not trusted: it may be something else.
"""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import yaml

from mailserver_exporter.finding import Finding
from mailserver_exporter.resources import shipped
from mailserver_exporter.settings.notifications import Notifications

_JOB = "mailserver-exporter"
_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 16_000_000
# What is raised by an answer that is JSON, but of something else.
_FOREIGN = (LookupError, TypeError, AttributeError, yaml.YAMLError)
_RENDER = "mailserver-exporter render --output DIR, then let {} read its files again"


def prometheus(url: str) -> list[Finding]:
    """Say whether the Prometheus at ``url`` scrapes us, has all our rules, and has somebody to tell."""
    try:
        return list(_prometheus(url.rstrip("/")))
    except _FOREIGN:
        reason = f"what answers at {url} is no Prometheus"
    except _UnusableError as error:
        reason = str(error)
    remedy = "start it (make run, or compose/compose.yml), or name it: --prometheus.url=URL"
    return [Finding("Prometheus", "bad", f"nobody judges what is measured: {reason}", remedy)]


def alertmanager(url: str, settings: Notifications) -> list[Finding]:
    """Say whether the Alertmanager at ``url`` has a receiver for each channel that the configuration names."""
    try:
        return list(_alertmanager(url.rstrip("/"), settings))
    except _FOREIGN:
        reason = f"what answers at {url} is no Alertmanager"
    except _UnusableError as error:
        reason = str(error)
    remedy = "start it (make run, or compose/compose.yml), or name it: --alertmanager.url=URL"
    return [Finding("Alertmanager", "bad", f"nobody is told of alerts: {reason}", remedy)]


def _prometheus(url: str) -> Iterator[Finding]:
    targets = _get(f"{url}/api/v1/targets?state=active")["data"]["activeTargets"]
    ours = [target for target in targets if target["labels"].get("job") == _JOB]
    up = sorted(target["labels"].get("instance", "?") for target in ours if target["health"] == "up")
    if up:
        yield Finding("scraped", "good", f"by the Prometheus at {url}: {', '.join(up)}")
    if not ours:
        remedy = _RENDER.format("Prometheus")
        yield Finding("scraped", "bad", f"the Prometheus at {url} has no job named {_JOB}", remedy)
    for target in ours:
        if target["health"] == "down":
            address = target.get("scrapeUrl", "the exporter")
            yield Finding("scraped", "bad", f"Prometheus cannot scrape {address}: {target.get('lastError')}")
        elif target["health"] != "up":
            yield Finding("scraped", "good", f"the Prometheus at {url} is about to, for the first time")
    yield from _rules(_get(f"{url}/api/v1/rules?type=alert&exclude_alerts=true")["data"]["groups"])
    active = _get(f"{url}/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
    if active:
        yield Finding("alerts handed on", "good", "to " + ", ".join(each["url"] for each in active))
    else:
        remedy = _RENDER.format("Prometheus")
        yield Finding("alerts handed on", "bad", f"the Prometheus at {url} knows no Alertmanager", remedy)


def _rules(groups: list[dict[str, Any]]) -> Iterator[Finding]:
    known = {rule["name"]: rule for group in groups for rule in group["rules"]}
    wanted = _shipped_alerts()
    if missing := sorted(wanted - known.keys()):
        some = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        detail = f"Prometheus lacks {len(missing)} of our {len(wanted)} alerts: {some}"
        yield Finding("rules", "bad", detail, _RENDER.format("Prometheus"))
    else:
        yield Finding("rules", "good", f"Prometheus has our {len(wanted)} alerts")
    for name in sorted(wanted & known.keys()):
        if known[name]["health"] == "err":
            yield Finding("rules", "bad", f"{name} cannot be evaluated: {known[name].get('lastError')}")


def _shipped_alerts() -> set[str]:
    return {
        rule["alert"]
        for file in shipped("rules").glob("*.rules.yml")
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def _alertmanager(url: str, settings: Notifications) -> Iterator[Finding]:
    # Alertmanager writes <secret> where its file has one.
    running = yaml.safe_load(_get(f"{url}/api/v2/status")["config"]["original"])
    has = {kind for receiver in running["receivers"] for kind in receiver if receiver[kind]}
    wishes = (("Telegram", settings.telegram, "telegram_configs"), ("e-mail", settings.email, "email_configs"))
    wanted = [(channel, kind) for channel, setting, kind in wishes if setting is not None]
    for channel, kind in wanted:
        if kind not in has:
            detail = f"the configuration names {channel}, the Alertmanager at {url} has no receiver for it"
            yield Finding("receivers", "bad", detail, _RENDER.format("Alertmanager"))
    for channel, what, is_set in _differences(running, settings):
        detail = f"{channel}: the Alertmanager at {url} has another {what} than config.yml ({is_set})"
        yield Finding("receivers", "bad", detail, _RENDER.format("Alertmanager"))
    told = [channel for channel, kind in wanted if kind in has]
    if told:
        yield Finding("receivers", "good", f"the Alertmanager at {url} tells by " + " and ".join(told))
    elif not wanted and has <= {"name", "webhook_configs"}:
        detail = f"the Alertmanager at {url} writes to the log only: nobody is told"
        yield Finding("receivers", "bad", detail, "name notifications.telegram or notifications.email in config.yml")


def _differences(running: dict[str, Any], settings: Notifications) -> Iterator[tuple[str, str, object]]:
    """Yield what no receiver of a kind has as the configuration has it: channel, setting, its value there."""
    telegram, email = settings.telegram, settings.email
    wishes: list[tuple[str, str, dict[str, object]]] = []
    if telegram:
        wishes.append(("Telegram", "telegram_configs", {"chat_id": telegram.chat_id, "api_url": telegram.api_url}))
    if email:
        to = ", ".join(email.to)
        wishes.append(("e-mail", "email_configs", {"to": to, "from": email.sender, "smarthost": email.smarthost}))
    for channel, kind, wanted in wishes:
        has = [each for receiver in running["receivers"] for each in receiver.get(kind) or ()]
        for key, value in wanted.items():
            if has and all(key in each and _plain(each[key]) != _plain(value) for each in has):
                yield channel, key, value


def _plain(value: object) -> str:
    return str(value).replace(" ", "").rstrip("/")


class _UnusableError(Exception):
    """Nothing answered that could be understood."""


def _get(url: str) -> Any:
    try:
        # Not through a proxy of the environment: both are on this machine or beside it.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=_TIMEOUT_SECONDS) as answer:
            return json.loads(answer.read(_MAX_BYTES))
    except (http.client.HTTPException, OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "reason", None) or error
        raise _UnusableError(f"{url.partition('/api/')[0]} does not answer as it should: {reason}") from error
