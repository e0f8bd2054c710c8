"""systemd's journal, through a short-lived journalctl(1) that is only started when the journal has changed.

Measured against the other ways: a child costs 4 ms of CPU, and nothing while the journal is still; one that stays
(``--follow``) keeps 14 MiB; libsystemd in our own process would map up to 8 MiB of each journal file into it.

Whoever may write to the journal chooses most of an entry. What begins with an underscore cannot be chosen
(systemd.journal-fields(7), trusted fields), so only entries of the users that mail and SSH servers run as are taken.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.log_source import Batch

if TYPE_CHECKING:
    from mailserver_exporter.sources.past_log import Line, Span, Wanted

DIRECTORIES = ("/var/log/journal", "/run/log/journal")
INSTALL = "apt install systemd (for journalctl), or name files in logs.sources"

# mail, auth, authpriv and local0 to local7: what the programs' syslog facility is or can be set to, syslog(3).
_FACILITIES = (2, 4, 10, *range(16, 24))
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_EXE"
# What tells an entry from all others in whatever file it is: boot, time since boot, time, hash. The rest of a cursor
# changes when journald moves the entry from /run to /var.
_IDENTITY = ("b=", "m=", "t=", "x=")
_MAX_FILES = 1000
# journalctl leaves out what a field has beyond 4096 bytes, and prints nine fields at most.
_MAX_ENTRY = 1 << 20
_CHUNK = 65536
_ANSWER_SECONDS = 10.0
# The time in a file's status may be so much older than its newest entry.
_LATE = 600

Stamp = dict[tuple[int, int], tuple[int, int]]


class OverdueError(SourceError):
    """journalctl did not go on."""


class Journal:
    """The journal whose files are in ``directories``; entries of the users ``uids`` only."""

    name = "journal"

    def __init__(
        self,
        directories: Sequence[str],
        uids: Collection[int],
        position: Any = None,
        *,
        wanted: Callable[[bytes], object] = bool,
        journalctl: Sequence[str] = ("journalctl",),
    ) -> None:
        """Go on at ``position``, or begin at the end. Only lines that ``wanted`` says yes to are returned.

        ``journalctl`` is how its command line begins. Raises TypeError, ValueError or LookupError for what is no
        position.
        """
        self._program = journalctl
        self._directories = directories
        self._uids = [f"_UID={uid}" for uid in sorted(uids)]
        self._wanted = wanted
        # Empty where the journal was empty: everything in it is new then.
        self._cursor: str | None = _cursor(position) if position else None
        self._known: Stamp = {}
        self._reading: Stamp = {}
        self._journalctl: _Journalctl | None = None
        self._begins = False

    def position(self) -> Any:
        """Return the cursor of the newest entry that was read."""
        return None if self._cursor is None else {"cursor": self._cursor}

    def read(self, max_bytes: int) -> Batch:
        """Return entries as ``ident[pid]: message``. Raises SourceError where journalctl fails or is missing."""
        if self._cursor is None:
            self._begin_at_the_end()
            return Batch([])
        if self._journalctl is None:
            statuses = self._files()
            self._reading = _stamp(statuses)
            changed = [path for path, status in statuses if not self._known.items() >= _stamp([(path, status)]).items()]
            if not changed:
                return Batch([])
            place = [f"--cursor={self._cursor}"] if self._cursor else []
            facilities = [f"SYSLOG_FACILITY={each}" for each in _FACILITIES]
            self._journalctl = _Journalctl(self._program, changed, [*place, *self._uids, *facilities])
            self._begins = True
        return self._take(self._journalctl, max_bytes)

    def close(self) -> None:
        """End journalctl where it runs."""
        if self._journalctl is not None:
            self._journalctl.close()
            self._journalctl = None

    def holds(self, idents: Sequence[str]) -> bool:
        """Say whether there is an entry of one of these SYSLOG_IDENTIFIERs. Raises as ``read`` does."""
        matches = [*self._uids, *(f"SYSLOG_IDENTIFIER={ident}" for ident in idents)]
        return self._last(matches) is not None

    def past(self, span: Span, wanted: Wanted, idents: re.Pattern[str] | None = None) -> Iterator[Line]:
        """Yield the wanted entries of a time that has passed, the newest first. Raises as ``read`` does.

        Only those of SYSLOG_IDENTIFIERs that match ``idents``, which journalctl sorts out much faster than we can.
        """
        files = [path for path, status in self._files() if status.st_mtime >= span.start - _LATE]
        if not files:
            return
        facilities = [f"SYSLOG_FACILITY={each}" for each in _FACILITIES]
        times = [f"--since=@{span.start:.6f}", f"--until=@{span.end:.6f}"]
        at, more = span.end, True
        journalctl = None
        try:
            matches = self._idents(files, idents, span) if idents else []
            if idents and not matches:
                return
            journalctl = _Journalctl(self._program, files, ["--reverse", *times, *self._uids, *facilities, *matches])
            while more:
                entries, more = journalctl.entries(_CHUNK, span.deadline - time.monotonic())
                for entry in entries:
                    line = _line(entry)
                    if line is not None and wanted(line):
                        at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
                        yield at, line
        except OverdueError:
            span.too_large(self.name, at)
        finally:
            if journalctl is not None:
                journalctl.close()

    def _idents(self, files: Sequence[str], wanted: re.Pattern[str], span: Span) -> list[str]:
        journalctl = _Journalctl(self._program, files, ["--field=SYSLOG_IDENTIFIER"])
        try:
            found, _ = journalctl.lines(_MAX_ENTRY, span.deadline - time.monotonic())
        finally:
            journalctl.close()
        idents = (ident.decode(errors="replace") for ident in found)
        return [f"SYSLOG_IDENTIFIER={ident}" for ident in idents if wanted.fullmatch(ident)]

    def _begin_at_the_end(self) -> None:
        known = _stamp(self._files())
        last = self._last([])
        self._cursor = last["__CURSOR"] if last else ""
        self._known = known

    def _last(self, matches: Sequence[str]) -> dict[str, Any] | None:
        journalctl = _Journalctl(self._program, [path for path, _ in self._files()], ["--lines=1", *matches])
        try:
            entries, _ = journalctl.entries(_MAX_ENTRY)
        finally:
            journalctl.close()
        return entries[-1] if entries else None

    def _files(self) -> list[tuple[str, os.stat_result]]:
        """Return the newest files, archived ones and those that a crash left behind included.

        Raises SourceError where there is none.
        """
        found = []
        for folder in self._directories:
            try:
                with os.scandir(folder) as entries:
                    found += [(e.path, e.stat()) for e in entries if e.name.endswith((".journal", ".journal~"))]
            except FileNotFoundError:
                continue  # no such directory, or a file that was vacuumed just now: the others serve
        if not found:
            where = " or ".join(self._directories)
            raise SourceError(f"no journal in {where}", remedy="systemctl status systemd-journald")
        found.sort(key=lambda each: each[1].st_mtime_ns)
        return found[-_MAX_FILES:]

    def _take(self, journalctl: _Journalctl, max_bytes: int) -> Batch:
        try:
            entries, more = journalctl.entries(max_bytes)
        except BaseException:
            self.close()
            raise
        if not more:
            self.close()
            self._known = self._reading
        if entries and self._begins:
            # With the entry that was read last, if it still is there.
            self._begins = False
            if self._cursor and _identity(entries[0]["__CURSOR"]) == _identity(self._cursor):
                del entries[0]
        lines = []
        dropped = 0
        for entry in entries:
            self._cursor = entry["__CURSOR"]
            line = _line(entry)
            if line is None:
                dropped += 1
            elif self._wanted(line):
                lines.append(line)
        return Batch(lines, dropped, more)


class _Journalctl:
    """A journalctl that runs."""

    def __init__(self, program: Sequence[str], files: Sequence[str], arguments: Sequence[str]) -> None:
        command = [*program, "--quiet", "--no-pager", "--output=json", f"--output-fields={_FIELDS}"]
        self._output, output = os.pipe()
        # A file in memory, because nobody reads while journalctl writes to it.
        self._complaint = os.memfd_create("journalctl")
        try:
            self._process = subprocess.Popen(
                [*command, *(f"--file={path}" for path in files), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=self._complaint,
            )
        except BaseException as error:
            os.close(self._complaint)
            os.close(self._output)
            if isinstance(error, FileNotFoundError):
                raise SourceError("there is no journalctl to read the journal with", remedy=INSTALL) from None
            raise
        finally:
            os.close(output)
        self._rest = b""

    def entries(self, max_bytes: int, seconds: float = _ANSWER_SECONDS) -> tuple[list[dict[str, Any]], bool]:
        """Return what comes next, up to about ``max_bytes``, and whether there may be more; raises SourceError."""
        lines, more = self.lines(max_bytes, seconds)
        return list(map(_parse, lines)), more

    def lines(self, max_bytes: int, seconds: float) -> tuple[list[bytes], bool]:
        """Return lines as ``entries`` does, for output that is no JSON."""
        end = time.monotonic() + seconds
        found: list[bytes] = []
        size = 0
        while size < max_bytes:
            if not select.select([self._output], [], [], max(0.0, end - time.monotonic()))[0]:
                raise OverdueError(f"journalctl did not go on for {seconds:.3g} s")
            chunk = os.read(self._output, _CHUNK)
            if not chunk:
                self._check()
                return found, False
            size += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            if len(self._rest) > _MAX_ENTRY:
                raise SourceError(f"journalctl wrote an entry of more than {_MAX_ENTRY} bytes")
            found += lines
        return found, True

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._output)
        os.close(self._complaint)

    def _check(self) -> None:
        status = self._process.wait()
        if status:
            told = os.pread(self._complaint, 300, 0).decode(errors="replace").strip()
            remedy = (
                "run as root, or add the exporter's user to the group systemd-journal" if "ermission" in told else ""
            )
            raise SourceError(f"journalctl ended with status {status}: {told or 'it said nothing'}", remedy=remedy)


def _stamp(files: Sequence[tuple[str, os.stat_result]]) -> Stamp:
    """Return what changes when a file is written to: journald sees to the mtime although it writes through memory."""
    return {(status.st_dev, status.st_ino): (status.st_mtime_ns, status.st_size) for _, status in files}


def _parse(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
        if isinstance(entry["__CURSOR"], str):
            return dict(entry)
    except (ValueError, TypeError, KeyError):
        pass
    raise SourceError(f"journalctl wrote what is no entry: {line[:80]!r}")


def _cursor(position: Any) -> str:
    cursor = str(position["cursor"])
    if cursor and len(_identity(cursor)) != len(_IDENTITY):
        raise ValueError(f"not a place in the journal: {position!r:.100}")
    return cursor


def _identity(cursor: str) -> list[str]:
    return [part for part in cursor.split(";") if part.startswith(_IDENTITY)]


def _line(entry: dict[str, Any]) -> bytes | None:
    """Return ``ident[pid]: message``, or None for an entry that has more or less than one of each, or a forged one."""
    ident, message = entry.get("SYSLOG_IDENTIFIER"), _bytes(entry.get("MESSAGE"))
    pid = entry.get("SYSLOG_PID", entry.get("_PID", ""))
    if not isinstance(ident, str) or not isinstance(pid, str) or message is None:
        return None
    program = entry.get("_EXE", "")
    if ident.startswith("sshd") and program and not os.path.basename(program).startswith("sshd"):
        # A set-user-ID program may let its caller choose the name. What is gone already has no _EXE.
        return None
    # As rsyslog writes it to a file: an entry is one line.
    return f"{ident}[{pid}]: ".encode(errors="replace") + message.replace(b"\n", b"#012")


def _bytes(value: Any) -> bytes | None:
    """Return a field as it is in the journal; journalctl writes what is not UTF-8 as a list of numbers."""
    if isinstance(value, str):
        return value.encode(errors="replace")
    if isinstance(value, list) and value and all(isinstance(each, int) and 0 <= each < 256 for each in value):
        return bytes(value)
    return None
