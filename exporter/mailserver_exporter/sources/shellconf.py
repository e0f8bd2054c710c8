"""Files of NAME=value lines that a shell or Docker Compose would read, such as mailcow.conf and .env."""

from __future__ import annotations


def parse(data: bytes) -> dict[str, str]:
    """Return the assignments; the last one of a name holds.

    Quotes around a value are taken off, nothing is expanded, and lines that are not assignments are passed over.
    """
    values = {}
    for line in data.decode("utf-8", "replace").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.replace("_", "a").isalnum() and name.isascii():
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            values[name] = value
    return values
