"""Unpack LZ4 frames, which apt keeps its lists in where ``Acquire::GzipIndexes`` is set.

With the system's own liblz4, which every Debian has because apt needs it; Python has none. The functions: lz4frame.h.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import IO

from mailserver_exporter.sources import SourceError

_LIBRARY = "liblz4.so.1"
_VERSION = 100  # LZ4F_VERSION
_PIECE = 1 << 18


def unpack(file: IO[bytes], path: str) -> Iterator[bytes]:
    """Yield what is in a file, in pieces. Raises SourceError when it is damaged or ends early, or without liblz4."""
    library = _load(path)
    context = ctypes.c_void_p()
    _check(library, library.LZ4F_createDecompressionContext(ctypes.byref(context), ctypes.c_uint(_VERSION)), path)
    target = ctypes.create_string_buffer(_PIECE)
    expected = 1
    try:
        while source := file.read(_PIECE):
            done = 0
            while done < len(source):
                written, read = ctypes.c_size_t(_PIECE), ctypes.c_size_t(len(source) - done)
                expected = library.LZ4F_decompress(
                    context, target, ctypes.byref(written), source[done:], ctypes.byref(read), None
                )
                _check(library, expected, path)
                done += read.value
                if written.value:
                    yield target.raw[: written.value]
                elif not read.value:
                    raise SourceError(f"{path} cannot be unpacked", remedy="apt-get update")
    finally:
        library.LZ4F_freeDecompressionContext(context)
    if expected:
        raise SourceError(f"{path} ends early", remedy="apt-get update")


def _load(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        remedy = "apt-get install liblz4-1"
        raise SourceError(
            f"{path} is compressed with LZ4, and there is no {_LIBRARY} to unpack it", remedy=remedy
        ) from error
    library.LZ4F_decompress.restype = ctypes.c_size_t
    library.LZ4F_createDecompressionContext.restype = ctypes.c_size_t
    return library


def _check(library: ctypes.CDLL, code: int, path: str) -> None:
    if library.LZ4F_isError(ctypes.c_size_t(code)):
        raise SourceError(f"{path} cannot be unpacked: damaged LZ4", remedy="apt-get update")
