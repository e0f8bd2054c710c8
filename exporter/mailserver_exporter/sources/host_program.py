"""Run a program of the host from inside a container that sees the host's root, and nothing of whose own it needs.

The host's journalctl reads the host's journal whatever its version has put into it, and our image needs none. The
host's dynamic loader is told where the host's libraries are, ld.so(8); it is the first thing that runs, so nothing is
taken from the container.
"""

from __future__ import annotations

import glob
import re

from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError

# The path of the loader stands in the program's PT_INTERP segment, elf(5), which linkers put at its beginning.
_LOADER = re.compile(rb"\0(/[!-~]*/ld[!-~]*\.so[!-~]*)\0")
_HEAD = 4096
_LIBRARIES = [f"{top}{folder}" for top in ("/usr", "") for folder in ("/lib", "/lib64", "/lib/*-linux-gnu*")]


def command(host: Host, program: str) -> list[str]:
    """Return the words that begin the command line. Raises SourceError where there is no such program, or OSError."""
    path = host.path(program)
    try:
        with open(path, "rb") as file:
            found = _LOADER.search(file.read(_HEAD))
    except FileNotFoundError:
        raise SourceError(f"the host has no {program}", remedy="name files in logs.sources") from None
    if found is None:
        raise SourceError(f"{program} of the host cannot be run from here")
    # Where /lib is a link to /usr/lib, both are one.
    folders = list(dict.fromkeys(folder for each in _LIBRARIES for folder in sorted(glob.glob(host.path(each)))))
    folders += [f"{folder}/systemd" for folder in folders]
    return [host.path(found[1].decode()), "--library-path", ":".join(folders), path]
