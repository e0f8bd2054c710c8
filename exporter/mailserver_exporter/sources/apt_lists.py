"""apt's lists: what each archive offers, and what kind of archive it is.

Read as apt leaves them in /var/lib/apt/lists, compressed or not. They are large (50 MB and more), so they are read in
pieces, and of all packages only the wanted ones are looked at. Formats: https://wiki.debian.org/DebianRepository/Format
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import re
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import IO, Any

from mailserver_exporter.sources import SourceError, files, lz4

_PIECE = 1 << 20
_MAX_PARAGRAPH = 1 << 20
_MAX_BYTES = 1 << 30
_RELEASE_BYTES = 4 << 20
_OPENERS: Mapping[str, Callable[[IO[bytes]], Any]] = {
    ".gz": gzip.open,
    ".xz": lzma.open,
    ".lzma": lzma.open,
    ".bz2": bz2.open,
}
_LIST = re.compile(r"(?P<base>.+)_Packages(?P<suffix>\.gz|\.xz|\.lzma|\.bz2|\.lz4)?")
_RELEASE = re.compile(r"(?P<base>.+)_(In)?Release")
_FIELD = re.compile(r"^([A-Za-z-]+):[ \t]*([^\n]*)", re.MULTILINE)
_WANTED = re.compile(rb"^(Version|Architecture|Phased-Update-Percentage):[ \t]*([^\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class Release:
    """An archive, by its Release file; ``dated`` is when it was made, as Unix time, 0 where it does not say."""

    site: str = ""
    origin: str = ""
    label: str = ""
    suite: str = ""
    codename: str = ""
    version: str = ""
    not_automatic: bool = False
    but_automatic_upgrades: bool = False
    dated: float = 0.0

    @property
    def security(self) -> bool:
        """Whether its packages mend security holes: Debian's by the label, Ubuntu's by the suite."""
        return self.label == "Debian-Security" or self.suite.endswith(("-security", "/updates"))


@dataclass(frozen=True)
class PackageList:
    """One list: its file, its archive, and the component (main, contrib ...) where it has one."""

    path: str
    release: Release
    component: str


@dataclass(frozen=True)
class Offer:
    """A version of a package in a list; ``phased``: given to a part of all machines only, so far."""

    name: str
    architecture: str
    version: str
    phased: bool


def find(directory: str) -> list[PackageList]:
    """Return all lists in apt's directory, each with its archive. Raises OSError, as when one vanishes meanwhile."""
    names = sorted(os.listdir(directory))
    releases = {
        found["base"]: parse_release(files.read(f"{directory}/{name}", _RELEASE_BYTES), name)
        for name in names
        if (found := _RELEASE.fullmatch(name))
    }
    lists = []
    for name in names:
        if found := _LIST.fullmatch(name):
            base = found["base"]
            bases = [known for known in releases if base == known or base.startswith(f"{known}_")]
            release = releases[max(bases, key=len)] if bases else Release(site=name.partition("_")[0])
            component = base[len(max(bases, key=len, default="")) :].strip("_").partition("_binary-")[0]
            lists.append(PackageList(f"{directory}/{name}", release, component))
    return lists


def parse_release(data: bytes, name: str) -> Release:
    """Return what a Release file says of its archive; ``name`` is that of the file, which begins with the site."""
    head = data.decode("utf-8", "replace").partition("\nSHA256:")[0].partition("\nMD5Sum:")[0]
    fields = {key.lower(): value.strip() for key, value in _FIELD.findall(head)}
    try:
        dated = parsedate_to_datetime(fields["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        dated = 0.0
    return Release(
        site=name.partition("_")[0],
        origin=fields.get("origin", ""),
        label=fields.get("label", ""),
        suite=fields.get("suite", fields.get("codename", "")),
        codename=fields.get("codename", fields.get("suite", "")),
        version=fields.get("version", ""),
        not_automatic=fields.get("notautomatic") == "yes",
        but_automatic_upgrades=fields.get("butautomaticupgrades") == "yes",
        dated=dated,
    )


def offers(path: str, wanted: Set[bytes]) -> Iterator[Offer]:
    """Yield what a list offers of the packages whose names are wanted.

    A paragraph that ends early is passed over. Raises SourceError for a list that cannot be unpacked, and OSError.
    """
    with open(path, "rb") as file:
        # Cut at the empty lines; what follows the last one waits for the next piece.
        rest = b""
        for piece in _pieces(file, path):
            *paragraphs, rest = (rest + piece).split(b"\n\n")
            if len(rest) > _MAX_PARAGRAPH:
                raise SourceError(f"{path} is no list of packages")
            yield from _offers(paragraphs, wanted)
        yield from _offers([rest], wanted)


def _offers(paragraphs: list[bytes], wanted: Set[bytes]) -> Iterator[Offer]:
    for paragraph in paragraphs:
        # Nearly always the first field; looking for it there first is most of the speed.
        start = 0 if paragraph.startswith(b"Package: ") else paragraph.find(b"\nPackage: ") + 1
        end = paragraph.find(b"\n", start)
        name = paragraph[start + 9 : end].strip()
        if end < 0 or name not in wanted:
            continue
        fields = dict(_WANTED.findall(paragraph))
        if b"Version" in fields and b"Architecture" in fields:
            share = fields.get(b"Phased-Update-Percentage", b"100").strip()
            yield Offer(
                name.decode("utf-8", "replace"),
                fields[b"Architecture"].decode("utf-8", "replace").strip(),
                fields[b"Version"].decode("utf-8", "replace").strip(),
                share.isdigit() and int(share) < 100,
            )


def _pieces(file: IO[bytes], path: str) -> Iterator[bytes]:
    """Yield a list in pieces, unpacked."""
    size = 0
    try:
        for piece in _unpacked(file, path):
            size += len(piece)
            if size > _MAX_BYTES:
                raise SourceError(f"{path} is larger than {_MAX_BYTES} bytes")
            yield piece
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile, ValueError) as error:
        raise SourceError(f"{path} cannot be unpacked: {error}", remedy="apt-get update") from error


def _unpacked(file: IO[bytes], path: str) -> Iterator[bytes]:
    if path.endswith(".lz4"):
        yield from lz4.unpack(file, path)
        return
    opener = next((opener for suffix, opener in _OPENERS.items() if path.endswith(suffix)), None)
    with opener(file) if opener else contextlib.nullcontext(file) as stream:
        while piece := stream.read(_PIECE):
            yield piece
