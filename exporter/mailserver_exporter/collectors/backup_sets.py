"""Which backups there are on a host: those of the configuration, or what looks like backups in the usual places."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from mailserver_exporter.host import Host
from mailserver_exporter.settings.backups import BackupsSection
from mailserver_exporter.sources import backup_folder, backup_names

PLACES = tuple(
    f"{parent}/{name}"
    for parent in ("", "/srv", "/opt", "/var", "/mnt", "/root", "/home")
    for name in ("backup", "backups")
)
_MAX_LOOKED_AT = 5000
_MAX_FOLDERS = 50
_MAX_PREFIXES = 8

# The files of helper-scripts/backup_and_restore.sh; `backup all` writes them all, and the first three are what no
# mailcow can be restored without.
_MAILCOW_PARTS = {
    "vmail": ("backup_vmail.*",),
    "database": ("backup_mariadb.*", "backup_mysql.*", "mysql"),
    "configuration": ("mailcow.conf",),
}
_MAILCOW = "mailcow"


@dataclass(frozen=True)
class BackupSet:
    """One series of backups: the host's directory, which entries of it, and the file patterns of each part."""

    name: str
    path: str
    pattern: str | None = None
    prefix: str | None = None
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    copy: str | None = None
    configured: bool = False

    @property
    def learns(self) -> bool:
        """Say whether the parts are to be learnt from the backups themselves."""
        return not (self.configured and self.parts)


def configured(section: BackupsSection) -> list[BackupSet]:
    """Return the sets of the configuration."""
    return [
        BackupSet(
            name,
            str(given.path),
            pattern=given.pattern,
            parts={part: (part,) for part in given.parts},
            copy=str(given.copy) if given.copy else None,
            configured=True,
        )
        for name, given in section.sets.items()
    ]


def in_place(host: Host, place: str) -> list[BackupSet]:
    """Return what looks like backups in a directory and in those below it; names may be given twice.

    Raises OSError where there is no such directory. Only the first 5,000 entries of a directory are looked at.
    """
    found = list(_series(host, place))
    with os.scandir(host.path(place)) as entries:
        folders = [
            entry.name
            for entry in itertools.islice(entries, _MAX_LOOKED_AT)
            if entry.is_dir(follow_symlinks=False)
            and not entry.name.startswith(".")
            and backup_names.dated(entry.name) is None
        ]
    for name in sorted(folders)[:_MAX_FOLDERS]:
        try:
            found += _series(host, f"{place}/{name}")
        except OSError:
            continue  # not ours to read, or gone again: nothing says that it holds backups
    return found


def _series(host: Host, path: str) -> Iterator[BackupSet]:
    """Yield a set for each kind of name in a directory."""
    prefixes: dict[str, None] = {}
    with os.scandir(host.path(path)) as entries:
        for entry in itertools.islice(entries, _MAX_LOOKED_AT):
            dated = backup_names.dated(entry.name)
            if dated is not None and backup_folder.counts(entry, None):
                prefixes[dated.prefix] = None
    if len(prefixes) > _MAX_PREFIXES:
        prefixes = {"": None}
    for prefix in sorted(prefixes):
        base = path.rpartition("/")[2]
        alone = len(prefixes) == 1
        if prefix == _MAILCOW:
            yield BackupSet(_MAILCOW, path, prefix=prefix, parts=_MAILCOW_PARTS)
        else:
            yield BackupSet(
                _label(base if alone or not prefix else f"{base}-{prefix}"), path, prefix=None if alone else prefix
            )


def distinct(sets: Iterable[BackupSet]) -> list[BackupSet]:
    """Give each set a name of its own: where two would share one, the later has its path as name."""
    taken: dict[str, BackupSet] = {}
    for each in sets:
        name = each.name
        if name in taken:
            name = _label("-".join(filter(None, (each.path.strip("/").replace("/", "-"), each.prefix))))
        taken.setdefault(name, replace(each, name=name))
    return list(taken.values())


def _label(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip("._-")[:64] or "backups"


def named(backup_set: BackupSet, names: Sequence[str]) -> set[str]:
    """Return the parts that a backup with these file names has, by what they are called in the metrics."""
    if backup_set.prefix == _MAILCOW:
        known = {name for name in names if backup_names.is_archive(name)}
        listed = {pattern for patterns in _MAILCOW_PARTS.values() for pattern in patterns}
        return {
            name.removeprefix("backup_").partition(".")[0]
            for name in known
            if not any(fnmatchcase(name, pattern) for pattern in listed)
        }
    return {backup_names.part(name) for name in names if backup_names.is_archive(name)}


def has_part(backup_set: BackupSet, names: Sequence[str], part: str) -> bool:
    """Say whether a backup with these file names has a part."""
    patterns = backup_set.parts.get(part)
    if patterns is None:
        return part in named(backup_set, names)
    return any(fnmatchcase(name, p) or fnmatchcase(backup_names.part(name), p) for name in names for p in patterns)
