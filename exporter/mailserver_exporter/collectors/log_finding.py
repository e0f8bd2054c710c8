"""Find for each program the one log that it is counted from: never two, or its lines would count twice.

What our configuration says holds, then what Postfix' own does, then what was found before (and is expected from then
on), then the container of mailcow's service, then the journal where the program writes to it, then the usual files.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from mailserver_exporter.collectors.base import Context
from mailserver_exporter.collectors.log_programs import PROGRAMS, Program
from mailserver_exporter.sources import SourceError, accounts, files, host_program
from mailserver_exporter.sources.journal import DIRECTORIES, Journal
from mailserver_exporter.sources.log_source import LogSource
from mailserver_exporter.sources.logfile import LogFile

if TYPE_CHECKING:
    from mailserver_exporter.sources.docker_api import Api
    from mailserver_exporter.sources.past_log import PastLog

log = logging.getLogger(__name__)

JOURNAL = "journal"
_JOURNALCTL = "/usr/bin/journalctl"
_ZSTD = "/usr/bin/zstd"
_CONTAINER = "container/"
# Who writes to the log when not root: Postfix' and Dovecot's daemons, and those that handle virtual users' mail.
_ACCOUNTS = ("postfix", "dovecot", "dovenull", "vmail", "sshd")


class LogFinder:
    """Where the logs of the programs are."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def find(self) -> dict[str, str]:
        """Return the source's name for each program that has one; asks journalctl, so not at a scrape."""
        found = {}
        known = dict(self._known())
        for program in PROGRAMS:
            name = self._context.config.logs.sources.get(program.name)
            if name is None:
                before = known.get(program.name)
                name = self._told(program) or before or self._look(program)
                if name and name != before:
                    self._context.expectations.expect("log", {f"{name}:{program.name}"})
            if name and name != "none":
                found[program.name] = name
        return found

    def open(self, name: str, wanted: Callable[[bytes], object], position: Any) -> LogSource:
        """Return the source of that name; raises SourceError or OSError where that cannot be."""
        try:
            return self._make(name, wanted, position)
        except (TypeError, ValueError, LookupError) as error:
            # Of another version, or written by another hand.
            log.warning("log %s is followed from its end, its saved position is none: %s", name, error)
            return self._make(name, wanted, None)

    def past(self, name: str, zone: tzinfo) -> PastLog:
        """Return that log for reading what is past; dates without a zone are in ``zone``. Raises as ``open`` does."""
        from mailserver_exporter.sources.past_container import PastContainer
        from mailserver_exporter.sources.past_files import PastFiles

        if name == JOURNAL:
            return self._journal(bool, None)
        if name.startswith(_CONTAINER):
            return PastContainer(self._engine(), name.removeprefix(_CONTAINER), self._context.mailstack.get().project)
        host = self._context.host
        zstd = host_program.command(host, _ZSTD) if host.in_container and os.path.exists(host.path(_ZSTD)) else ["zstd"]
        return PastFiles(name, host.path(name), zone, zstd)

    def _make(self, name: str, wanted: Callable[[bytes], object], position: Any) -> LogSource:
        if name == JOURNAL:
            return self._journal(wanted, position)
        if name.startswith(_CONTAINER):
            return self._container(name.removeprefix(_CONTAINER), position)
        return LogFile(name, self._context.host.path(name), position)

    def _known(self) -> Iterator[tuple[str, str]]:
        for each in sorted(self._context.expectations.expect("log", ())):
            name, _, program = each.rpartition(":")
            yield program, name

    def _told(self, program: Program) -> str:
        """Return maillog_file of main.cf, postconf(5): nothing is written to syslog then. It may not be there yet."""
        path = self._context.mailstack.get().mail_log if program.name == "postfix" else ""
        return path if path and os.path.isfile(self._context.host.path(path)) else ""

    def _look(self, program: Program) -> str:
        if program.service and self._context.mailstack.get().kind == "mailcow":
            return f"{_CONTAINER}{program.service}"
        if program.idents and self._in_journal(program.idents):
            return JOURNAL
        for path in program.files:
            if os.path.isfile(self._context.host.path(path)):
                return path
        return ""

    def _in_journal(self, idents: Sequence[str]) -> bool:
        try:
            return self._journal(bool, None).holds(idents)
        except (SourceError, OSError):
            return False  # then it has to be a file; who wants the journal names it and is told what is wrong

    def _container(self, name: str, position: Any) -> LogSource:
        from mailserver_exporter.sources.container_log import ContainerLog

        return ContainerLog(self._engine(), name, self._context.mailstack.get().project, position)

    def _engine(self) -> Api:
        from mailserver_exporter.sources.docker_api import Api

        return Api(self._context.host.path(self._context.config.containers.socket))

    def _journal(self, wanted: Callable[[bytes], object], position: Any) -> Journal:
        host = self._context.host
        machine = files.read(host.path("/etc/machine-id"), 4096).decode(errors="replace").strip()
        directories = [host.path(f"{each}/{machine}") for each in DIRECTORIES]
        known = accounts.uids(files.read(host.path("/etc/passwd")))
        uids = {0, *(known[name] for name in _ACCOUNTS if name in known)}
        program = host_program.command(host, _JOURNALCTL) if host.in_container else ["journalctl"]
        return Journal(directories, uids, position, wanted=wanted, journalctl=program)


def programs_by_source(found: Mapping[str, str]) -> dict[str, list[Program]]:
    """Return the programs that are counted from each source."""
    sources: dict[str, list[Program]] = {}
    for program in PROGRAMS:
        if program.name in found:
            sources.setdefault(found[program.name], []).append(program)
    return sources
