"""End a connection at a deadline, whatever it is used for: a socket's own time-out begins anew with each byte."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def connected(address: str, port: int, seconds: float) -> Iterator[socket.socket]:
    """Connect and hand out the connection; after ``seconds`` in all it is as if the other side had hung up.

    Raises OSError. Takes a thread, so it is for errands.
    """
    # A second handle of the same connection, for TLS takes the first one away.
    with socket.create_connection((address, port), timeout=seconds) as connection, connection.dup() as handle:
        timer = threading.Timer(seconds, _hang_up, [handle])
        timer.daemon = True
        timer.start()
        try:
            yield connection
        finally:
            timer.cancel()
            timer.join()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
