"""Read small files with a bound."""

from __future__ import annotations

import os

from mailserver_exporter.sources import SourceError

MAX_BYTES = 4 * 1024 * 1024


def read(path: str, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a file.

    Raises SourceError when it is longer than ``max_bytes``, and OSError (with the path in it) when it cannot be read.
    Only for files whose reads do not block, such as those of /proc, /sys and ordinary directories.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks = []
        size = 0
        while chunk := os.read(descriptor, 65536):
            chunks.append(chunk)
            size += len(chunk)
            if size > max_bytes:
                raise SourceError(f"{path} is larger than {max_bytes} bytes")
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(descriptor)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
