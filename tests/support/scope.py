"""Something that is started with the ``with`` block, piece by piece, and ended in reverse, however far it came."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self  # since Python 3.11


class Scope(ABC):
    """``_start`` enters the pieces into ``_cleanup``."""

    def __init__(self) -> None:
        self._cleanup = contextlib.ExitStack()

    @abstractmethod
    def _start(self) -> None:
        """Start the pieces."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()
