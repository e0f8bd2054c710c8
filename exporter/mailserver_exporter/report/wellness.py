"""Why all is well, in a few words: what an admin would look at first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mailserver_exporter.report.language import Language
from mailserver_exporter.report.sections import alerts, backups, services, services_facts


def reasons(all_facts: Iterable[Any], say: Language) -> Iterator[str]:
    """Yield what is well of the services, the alerts and the backups, each where it is watched."""
    known = list(all_facts)
    for facts in known:
        if isinstance(facts, services.Facts) and facts.services and all(_always_up(each) for each in facts.services):
            yield say.count(len(facts.services), "{number} service always up", "{number} services always up")
    for facts in known:
        if isinstance(facts, alerts.Facts):
            over = alerts.over(facts)
            yield say.count(over, "{number} alert is over", "{number} alerts are over") if over else say("no alert")
    for facts in known:
        ages = [each.age for each in facts.backups if each.age is not None] if isinstance(facts, backups.Facts) else []
        if ages:
            yield say("newest backup {age} old", age=say.duration(min(ages)))


def _always_up(service: services_facts.Service) -> bool:
    return not service.availability.seconds
