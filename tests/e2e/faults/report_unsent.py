"""The mail server refuses the addressee of the daily report, which was due while the host was down."""

from __future__ import annotations

import subprocess
import sys
import time

from mailserver_exporter.report.outbox import Outbox, State
from mailserver_exporter.report.schedule import Done
from tests.e2e.world import REPORT_TO, World

EXPECTED = [("ReportNotSent", "warning")]


def inject(world: World) -> None:
    for stack in world.stacks.values():
        stack.smtp.unknown.add(REPORT_TO)
        Outbox(stack.exporter.state).save(State(done=Done(times=(time.time() - 3 * 86400,))))


def recover(world: World) -> None:
    for stack in world.stacks.values():
        stack.smtp.unknown.clear()
        command = [*(sys.executable, "-m", "mailserver_exporter", "report"), f"--config.file={stack.exporter.config}"]
        subprocess.run([*command, "--if-due"], check=True)
        [report] = [mail for mail in stack.smtp.mails if REPORT_TO in mail.recipients]
        # Twelve hours ago this Prometheus had measured nothing yet.
        assert report.subject.startswith("[INCOMPLETE] ")
