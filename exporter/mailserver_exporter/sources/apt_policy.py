"""Which version of a package apt would take: the priorities of archives and pins, apt_preferences(5)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mailserver_exporter.sources import deb_version
from mailserver_exporter.sources.apt_lists import PackageList, Release

_INSTALLED, _USUAL, _TARGET = 100, 500, 990
_NOT_AUTOMATIC, _BUT_UPGRADES = 1, 100
_DOWNGRADES = 1000
_FIELD = re.compile(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)
_TARGET_RELEASE = re.compile(r'^\s*APT::Default-Release\s+"([^"]*)"\s*;', re.MULTILINE)


@dataclass(frozen=True)
class Pin:
    """A paragraph of a preferences file."""

    packages: tuple[str, ...]
    kind: str
    condition: str
    priority: int

    @property
    def general(self) -> bool:
        """Whether it is about archives and not about packages."""
        return self.packages == ("*",)

    def names(self, package: str) -> bool:
        """Say whether it is about this package."""
        return any(_matches(package, pattern) for pattern in self.packages)

    def holds(self, version: str, source: PackageList) -> bool:
        """Say whether it is about a version, or for ``*`` any version, in a list."""
        if self.kind == "version":
            return _matches(version, self.condition)
        if self.kind == "origin":
            return _matches(source.release.site, self.condition.strip('"'))
        return self.kind == "release" and _of_release(self.condition, source)


def _matches(text: str, pattern: str) -> bool:
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        try:
            return re.search(pattern[1:-1], text) is not None
        except re.error:
            return False
    return fnmatch.fnmatchcase(text, pattern)


def _of_release(condition: str, source: PackageList) -> bool:
    release = source.release
    for part in condition.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        value = value.strip('"')
        if not equals:
            # A single word is a version where it begins with a digit, else an archive's name.
            texts: Sequence[str] = (release.version,) if key[:1].isdigit() else (release.suite, release.codename)
            value = key
        else:
            known = {
                "a": release.suite,
                "n": release.codename,
                "v": release.version,
                "o": release.origin,
                "l": release.label,
                "c": source.component,
            }
            if key not in known:
                return False
            texts = (known[key],)
        if not any(_matches(text, value) for text in texts):
            return False
    return True


def parse_preferences(data: bytes) -> Iterator[Pin]:
    """Yield the pins of a preferences file; a paragraph that is not understood is passed over, as apt does."""
    text = re.sub(r"^#.*\n?", "", data.decode("utf-8", "replace"), flags=re.MULTILINE)
    for paragraph in re.split(r"\n[ \t]*\n", text):
        fields = {key.lower(): " ".join(value.split()) for key, value in _FIELD.findall(paragraph)}
        kind, _, condition = fields.get("pin", "").partition(" ")
        if fields.get("package") and re.fullmatch(r"-?\d{1,6}", fields.get("pin-priority", "")):
            yield Pin(tuple(fields["package"].split()), kind, condition.strip(), int(fields["pin-priority"]))


def target_release(data: bytes) -> str:
    """Return ``APT::Default-Release`` of a file of apt.conf(5), or nothing."""
    found = _TARGET_RELEASE.findall(data.decode("utf-8", "replace"))
    return str(found[-1]) if found else ""


@dataclass
class Version:
    """A version of one package and the lists that have it; ``installed`` is the one that is."""

    version: str
    sources: list[PackageList] = field(default_factory=list)
    installed: bool = False


class Policy:
    """The priorities of one machine."""

    def __init__(self, pins: Iterable[Pin], target: str = "") -> None:
        pins = list(pins)
        self._general = [pin for pin in pins if pin.general]
        self._specific = [pin for pin in pins if not pin.general]
        self._target = target

    def candidate(self, name: str, versions: Iterable[Version]) -> Version | None:
        """Return the version that apt would take: of the highest priority the newest, never an older one unasked."""
        ordered = sorted(versions, key=lambda each: deb_version.key(each.version), reverse=True)
        installed = next((each for each in ordered if each.installed), None)
        best: Version | None = None
        highest = 0
        for each in ordered:
            priority = self._priority(name, each)
            older = installed is not None and deb_version.key(each.version) < deb_version.key(installed.version)
            if priority > highest and not (older and priority < _DOWNGRADES):
                best, highest = each, priority
        return best

    def _priority(self, name: str, version: Version) -> int:
        for pin in self._specific:
            if pin.names(name) and any(pin.holds(version.version, source) for source in version.sources):
                return pin.priority
        priorities = [self._of_list(source) for source in version.sources]
        return max([*priorities, _INSTALLED] if version.installed else priorities, default=0)

    def _of_list(self, source: PackageList) -> int:
        for pin in self._general:
            if pin.kind != "version" and pin.holds("", source):
                return pin.priority
        return self._of_release(source.release)

    def _of_release(self, release: Release) -> int:
        if self._target and self._target in (release.suite, release.codename, release.version):
            return _TARGET
        if release.not_automatic:
            return _BUT_UPGRADES if release.but_automatic_upgrades else _NOT_AUTOMATIC
        return _USUAL
