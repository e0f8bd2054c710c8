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
# How many times shorter: waiting before an alert fires, keeping it after, and how far a rule looks back and ahead. An
# alert that is kept for a minute must still outlast the wait of ExporterDown, see exporter.rules.yml.
WAIT, KEEP, RANGE = 16.0, 30.0, 60.0
# What is compared with hours ago is compared with a moment ago, at which something has been measured already.
LONGEST_OFFSET = 30.0
# Alertmanager tries for ten seconds before it looks whether an alert still fires, and nothing shortens that. An alert
# that tells why nothing is logged must last that long, or the log is never told.
KEEP_AT_LEAST = {"ExporterDown": 12.0}
# The log has each alert at once, but not before Alertmanager has seen what silences it.
SHORTEST_GROUP_WAIT = 1.0
LOG_INTERVAL = 1.0

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
                least = KEEP_AT_LEAST.get(rule["alert"], 0.0)
                rule["keep_firing_for"] = duration(max(seconds(rule["keep_firing_for"]) / KEEP, least))
            rule["expr"] = _expression(str(rule["expr"]))
    return yaml.safe_dump(content, sort_keys=False)


def _expression(expression: str) -> str:
    def window(match: re.Match[str]) -> str:
        return f"[{duration(max(SHORTEST_RANGE, seconds(match[1]) / RANGE))}{match[2]}"

    def outlook(match: re.Match[str]) -> str:
        return f"{match[1]} / {RANGE:g})"

    def offset(match: re.Match[str]) -> str:
        return f"offset {duration(min(LONGEST_OFFSET, seconds(match[1]) / RANGE))}"

    expression = re.sub(r"\boffset ((?:\d+(?:ms|s|m|h|d|w))+)", offset, expression)
    expression = re.sub(r"\[((?:\d+(?:ms|s|m|h|d|w))+)([\]:])", window, expression)
    return re.sub(r"(\bpredict_linear\([^()]*, [\d* ]+)\)", outlook, expression)


def prometheus(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return Prometheus' configuration with a scrape and an evaluation each second."""
    times = ("scrape_interval", "scrape_timeout", "evaluation_interval")
    configuration["global"] |= dict.fromkeys(times, duration(SCRAPE_INTERVAL))
    return configuration


def alertmanager(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return Alertmanager's configuration with short waits before the first message; the throttle is config.yml's."""
    root = configuration["route"]
    root["group_interval"] = duration(LOG_INTERVAL)
    for route in root["routes"]:
        if "group_wait" in route:
            route["group_wait"] = duration(max(SHORTEST_GROUP_WAIT, seconds(route["group_wait"]) / WAIT))
    return configuration
