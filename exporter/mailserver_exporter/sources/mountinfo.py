"""What is mounted where, /proc/PID/mountinfo (proc_pid_mountinfo(5)), and what fstab(5) says should be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError

_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """One mounted file system. ``root`` is the folder of it that is mounted: not ``/`` for a bind mount."""

    number: int
    major: int
    minor: int
    root: str
    mountpoint: str
    device: str
    fstype: str
    readonly: bool


def parse(data: bytes) -> list[Mount]:
    """Parse the content of a mountinfo file, in its order. Raises SourceError for a line that is not a mount.

    Names that are not UTF-8 come as os.fsdecode gives them, so that they can be used as paths.
    """
    # Only the line feed ends a line here: the kernel escapes it in names, but not a carriage return.
    return [_mount(line) for line in data.split(b"\n") if line]


def _mount(line: bytes) -> Mount:
    # 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    before, _, after = line.partition(b" - ")
    try:
        number, _, device_number, root, mountpoint, options = before.split(b" ")[:6]
        fstype, device, super_options = after.split(b" ")[:3]
        major, minor = device_number.split(b":")
        # Either the mount is read-only or the whole file system is, which ext4 becomes after an error.
        flags = {*options.split(b","), *super_options.split(b",")}
        return Mount(
            number=int(number),
            major=int(major),
            minor=int(minor),
            root=_text(root),
            mountpoint=_text(mountpoint),
            device=_text(device),
            fstype=_text(fstype),
            readonly=not flags.isdisjoint((b"ro", b"emergency_ro")),
        )
    except ValueError as error:
        raise SourceError(f"mountinfo has a line that is not a mount: {line[:160]!r}") from error


def parse_fstab(data: bytes) -> Mapping[str, frozenset[str]]:
    """Parse /etc/fstab into mount options by mountpoint. Lines that are not entries are passed over."""
    table = {}
    for line in data.split(b"\n"):
        words = line.split()
        if len(words) >= 3 and not words[0].startswith(b"#"):
            options = words[3] if len(words) > 3 else b"defaults"
            table[_text(words[1]).rstrip("/") or "/"] = frozenset(options.decode("utf-8", "replace").split(","))
    return table


def _text(word: bytes) -> str:
    """Undo the octal escapes of white space and backslashes, mangle_path() in fs/seq_file.c."""
    if b"\\" in word:
        word = _OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), word)
    return word.decode("utf-8", "surrogateescape")
