"""The errand of the daily report: how do things stand, and, where it is due, write and send it.

``{"config": the text of the configuration, "name": of its file, "rootfs": str, "send": bool, "again": bool,
"patient": bool, "since": Unix time, "state": what the newest answer said, where that could not be kept}``; the answer
is a Standing. Says what is wrong with a configuration that cannot send anything. Who is patient waits for a Prometheus
that is not ready. ``since`` is when the asker began.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.report import ordering
from mailserver_exporter.report.outbox import State
from mailserver_exporter.schema import read_text


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return how things stand. Raises SourceError."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    # The text and not the file: that may have become another one since, which would be refused.
    config = read_text(request["config"], request["name"], Config())
    delivery = ordering.delivery(config, Host(request["rootfs"]))
    remembered = State.decode(request["state"]) if request["state"] else None
    if not request["send"]:
        return delivery.look(remembered).encode()
    if request["patient"] and not ordering.prometheus_is_ready(config):
        return {**replace(delivery.look(remembered), look=time.time()).encode(), "waiting": True}
    return delivery.attend(remembered, again=request["again"], since=request["since"]).encode()
