"""The real postfix_exporter (Hsn723, Debian's package prometheus-postfix-exporter), following a log file."""

from __future__ import annotations

from pathlib import Path

from tests.support.metrics import Exposition
from tests.support.processes import Program, answers, free_port, wait_for
from tests.support.tools import program

# It knows a daemon by its whole name in the log, we by the last part of it.
SERVICES = {"smtpd": ("smtpd", "submission/smtpd", "smtps/smtpd")}

_MARK = b"Nov 22 03:00:00 mail postfix/mark-%d[1]: everything before this was read\n"


class PostfixExporter(Program):
    """Started with an empty log, because it begins at the end of what it finds."""

    def __init__(self, folder: Path) -> None:
        self.mail_log = folder / "followed.log"
        self.mail_log.touch()
        self.url = f"http://127.0.0.1:{free_port()}/metrics"
        self._marks = 0
        labels = [f"--postfix.{name}_service_label={label}" for name, all_ in SERVICES.items() for label in all_]
        super().__init__(
            [
                program("prometheus-postfix-exporter", "sid"),
                f"--web.listen-address={self.url.removeprefix('http://').removesuffix('/metrics')}",
                f"--postfix.logfile_path={self.mail_log}",
                f"--postfix.showq_path={folder}/no-showq",
                *labels,
            ],
            folder / "postfix_exporter.log",
            ready=lambda: answers(self.url),
        )

    def feed(self, log: bytes, seconds: float = 60) -> Exposition:
        """Append whole lines to the log and return the metrics once all of them are counted."""
        self._marks += 1
        with self.mail_log.open("ab") as file:
            file.write(log)
            file.write(_MARK % self._marks)
        return self.caught_up(seconds)

    def caught_up(self, seconds: float = 60) -> Exposition:
        """Return the metrics once the newest mark was read, which it says as of any line that it does not know."""
        service = f"mark-{self._marks}"
        found = Exposition("")

        def read() -> bool:
            nonlocal found
            found = Exposition.scrape(self.url)
            return bool(found.all("postfix_unsupported_log_entries_total", service=service))

        wait_for("postfix_exporter has read its log", read, seconds, pause=0.2)
        return found
