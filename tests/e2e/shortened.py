"""The shipped files with shortened times, so that what takes minutes can be seen in seconds.

Only durations are changed, never a limit, a label or a route.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

SCRAPE_INTERVAL = 1.0
# A range must still hold four samples and more.
SHORTEST_RANGE = 8.0
# How many times shorter: waiting before an alert fires, keeping it after, and the windows that rates look at.
WAIT, KEEP, RANGE = 15.0, 60.0, 60.0

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+)(ms|s|m|h|d|w)")


def seconds(duration: str) -> float:
    """Return the seconds of a Prometheus duration such as ``1h30m``."""
    return sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(duration))


def duration(value: float) -> str:
    """Return a Prometheus duration."""
    return f"{max(1, round(value * 1000))}ms"


def rules(text: str) -> str:
    """Return a rule file that does the same in less time."""
    content = yaml.safe_load(text)
    for group in content["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = duration(seconds(rule["for"]) / WAIT)
            if "keep_firing_for" in rule:
                rule["keep_firing_for"] = duration(seconds(rule["keep_firing_for"]) / KEEP)
            rule["expr"] = _expression(str(rule["expr"]))
    return yaml.safe_dump(content, sort_keys=False)


def _expression(expression: str) -> str:
    def shorter(match: re.Match[str]) -> str:
        return f"[{duration(max(SHORTEST_RANGE, seconds(match[1]) / RANGE))}{match[2]}"

    return re.sub(r"\[((?:\d+(?:ms|s|m|h|d|w))+)([\]:])", shorter, expression)


def prometheus(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return Prometheus' configuration with a scrape and an evaluation each second."""
    configuration["global"]["scrape_interval"] = duration(SCRAPE_INTERVAL)
    configuration["global"]["evaluation_interval"] = duration(SCRAPE_INTERVAL)
    configuration["global"].pop("scrape_timeout", None)
    for job in configuration["scrape_configs"]:
        job.pop("scrape_interval", None)
        job.pop("scrape_timeout", None)
        # The overlap of exporter deadlines and the scrape's own is part of what is tested: it stays within 1 s here.
    return configuration


def alertmanager(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return Alertmanager's configuration with short waits before the first message; the throttle is config.yml's."""

    def shorten(route: dict[str, Any]) -> None:
        if "group_wait" in route:
            route["group_wait"] = duration(seconds(route["group_wait"]) / WAIT)
        for child in route.get("routes", ()):
            shorten(child)

    shorten(configuration["route"])
    return configuration
