"""The mail host and its watchers in shortened time, with the programs of the oldest and the newest release we support.

Both watch the same host side by side, so that each fault is made once and judged by both.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mailserver_exporter import backup_mark
from tests.e2e import shortened
from tests.e2e.transcript import Told, of_log, of_mail, of_telegram
from tests.support.mailhost import BACKUP, MailHost
from tests.support.processes import Program, wait_for
from tests.support.tools import RELEASES, ROOT
from tests.support.watchers import Watchers

THROTTLE = 2.0
REPORT_TO = "report@example.net"
CHANNELS = ("log", "telegram", "mail")
_OFF = {"info": None, "warning": None, "critical": None}
# What depends on how busy this machine is has no limit here, and who else runs out of memory on it is not told;
# tests/rules tests those.
_SETTINGS = {
    "system": {"enabled": False},
    "limits": {
        **dict.fromkeys(("cpu_usage_ratio", "memory_usage_ratio", "load_per_core"), _OFF),
        # Six hours are six minutes here, so that one fault would make the next look unreliable.
        "roundtrip_failed_ratio": {"warning": None},
        # Of one program, whose log something always writes to here.
        "security_update_age_seconds": {"warning": "1s"},
        "log_silence_seconds": {"overrides": {"php-fpm": {"warning": "10s"}}},
    },
    "notifications": {"throttle": f"{THROTTLE:g}s"},
}
# Prometheus sends what has ended again each minute for a quarter of an hour, and Alertmanager puts it into the next
# message of the group, if there is one. Here the next fault is not hours but seconds away.
_PROMETHEUS_FLAGS = ["--rules.alert.resend-delay=20m"]
_EXPORTER = ROOT / "tests" / "e2e" / "hurried_exporter.py"

Transcript = list[Told]


class Stack(Watchers):
    """The watchers of one release, which notes how far their channels have been read."""

    def __init__(self, folder: Path, settings: dict[str, Any], release: str) -> None:
        super().__init__(
            folder,
            settings,
            release=release,
            adapt=shorten,
            program=_EXPORTER,
            prometheus_flags=_PROMETHEUS_FLAGS,
        )
        self._page = dict.fromkeys(CHANNELS, 0)

    def measures(self) -> bool:
        """Say whether every collector has succeeded."""
        success = self.exporter.scrape().all("mailserver_collector_success")
        return {"dns", "roundtrip", "updates"} <= {s.labels["collector"] for s in success if s.value == 1} and all(
            sample.value == 1 for sample in success
        )

    def told(self) -> dict[str, Transcript]:
        """Return what each channel was told since ``turn_page``."""
        return self._read_from(self._page, self._everything())

    def turn_page(self) -> dict[str, Transcript]:
        """Return what ``told`` does, and take it as read."""
        page, everything = self._page, self._everything()
        self._page = {channel: len(told) for channel, told in everything.items()}
        return self._read_from(page, everything)

    def _everything(self) -> dict[str, list[Any]]:
        mails = [mail for mail in self.smtp.mails if REPORT_TO not in mail.recipients]
        return {"log": list(self.logged()), "telegram": list(self.telegram.messages), "mail": mails}

    def _read_from(self, page: dict[str, int], everything: dict[str, list[Any]]) -> dict[str, Transcript]:
        log, telegram, mail = (everything[channel][page[channel] :] for channel in CHANNELS)
        return {
            "log": list(of_log(log)),
            "telegram": [told for message in telegram for told in of_telegram(message)],
            "mail": [told for message in mail for told in of_mail(message)],
        }


class World(MailHost):
    """What a fault works on: ``with World() as world``."""

    stacks: dict[str, Stack]

    def _start(self) -> None:
        super()._start()
        chatter = f"while sleep 0.5; do echo NOTICE: ready to handle connections >> {self.logs()['php-fpm']}; done"
        self.chatter = Program(["sh", "-c", chatter], self.folder / "chatter.log")
        self._cleanup.enter_context(self.chatter)
        settings = {**self.settings(), **_SETTINGS}
        settings["report"]["to"] = [REPORT_TO]
        self.stacks = {}
        for release in RELEASES:
            self.stacks[release] = Stack(self.folder / release, settings, release)
            self._cleanup.enter_context(self.stacks[release])
        for release, stack in self.stacks.items():
            # All measure everything at once in the beginning, which a slow machine takes long for.
            wait_for(f"the stack of {release} has measured everything", stack.measures, 120, pause=0.5)
        self.settle()
        for release, stack in self.stacks.items():
            wait_for(f"the stack of {release} is quiet", stack.quiet, 60, pause=0.2)
            stack.turn_page()

    def mark(self, event: str) -> None:
        """Report an event of the backup, as a script does."""
        for stack in self.stacks.values():
            backup_mark.note(stack.exporter.state, BACKUP, event)

    @contextlib.contextmanager
    def unseen(self) -> Iterator[None]:
        """Stop the exporters for a moment, so that they see what is done in one step and never half of it."""
        exporters = [stack.exporter for stack in self.stacks.values()]
        for exporter in exporters:
            exporter.send(signal.SIGSTOP)
        try:
            yield
        finally:
            for exporter in exporters:
                exporter.send(signal.SIGCONT)

    def log_deliveries(self, *ends: str, times: int) -> None:
        """Write lines to Postfix' log as if it had delivered: no server here takes or refuses anything.

        ``ends`` are what the lines end in, from ``dsn=`` on.
        """
        head = "Nov 22 03:00:00 mail postfix/smtp[1]: 4F1A22E: to=<user@elsewhere.example>, relay=mx.elsewhere.example"
        with self.postfix.log.open("a") as log:
            for end in ends:
                log.write(f"{head}[192.0.2.1]:25, delay=1, delays=0.1/0/0.5/0.4, {end}\n" * times)

    def story(self, release: str) -> str:
        """Return the ends of the logs that tell what an unexpected alert is about."""
        logs = (self.stacks[release].exporter.log, self.postfix.log, self.dovecot.log)
        return "\n".join("\n".join([f"{log}:", *log.read_text(errors="replace").splitlines()[-25:]]) for log in logs)

    def settle(self) -> None:
        """Wait as long as it takes until what fires now has been told."""
        time.sleep(shortened.SHORTEST_GROUP_WAIT + THROTTLE)


def shorten(rendered: Path) -> None:
    """Change the files that the admin's command has written."""
    for file, change in (("prometheus.yml", shortened.prometheus), ("alertmanager.yml", shortened.alertmanager)):
        path = rendered / file
        path.write_text(yaml.safe_dump(change(yaml.safe_load(path.read_text())), sort_keys=False))
    for path in (rendered / "rules").iterdir():
        path.write_text(shortened.rules(path.read_text()))
