"""What dpkg has installed, from its status file; dpkg(1), deb-control(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailserver_exporter.sources import SourceError

_FIELD = re.compile(rb"^(Package|Status|Version|Architecture):[ \t]*([^\n]*)", re.MULTILINE)
_ABSENT = (b"not-installed", b"config-files")


@dataclass(frozen=True)
class Installed:
    """An installed package; ``held`` if the admin keeps it as it is (apt-mark hold)."""

    name: str
    architecture: str
    version: str
    held: bool


def parse(data: bytes) -> dict[tuple[str, str], Installed]:
    """Return the installed packages by name and architecture. Raises SourceError when there is none.

    What is for all architectures has the machine's own one here, as in apt: a package may change between the two.
    """
    found = list(_packages(data))
    own = next((each.architecture for each in found if each.name == "dpkg"), "")
    packages = {(each.name, own if each.architecture == "all" else each.architecture): each for each in found}
    if not packages:
        raise SourceError("dpkg's status file lists no installed package")
    return packages


def _packages(data: bytes) -> Iterator[Installed]:
    for paragraph in data.split(b"\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        wanted, _, state = [*fields.get(b"Status", b"").split(), b"", b"", b""][:3]
        if state in _ABSENT or not {b"Package", b"Version", b"Architecture"} <= fields.keys():
            continue
        name, architecture, version = (
            fields[field].decode("utf-8", "replace").strip() for field in (b"Package", b"Architecture", b"Version")
        )
        yield Installed(name, architecture, version, wanted == b"hold")
