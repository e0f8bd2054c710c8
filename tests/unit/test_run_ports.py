"""Who has a port that `make run` wants."""

from __future__ import annotations

import socket
from pathlib import Path

import run_ports
from tests.support.processes import free_port


def test_a_port_that_nobody_has_is_free() -> None:
    assert run_ports.is_free(free_port())


def test_a_port_that_is_taken_is_told_with_its_process() -> None:
    own = Path("/proc/self/comm").read_text().strip()
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")):
        with socket.socket(family) as listener:
            listener.bind((address, 0))
            listener.listen()
            port = listener.getsockname()[1]
            assert not run_ports.is_free(port)
            assert run_ports.holder(port).startswith(f"{own} (process ")


def test_a_process_that_cannot_be_seen_is_another_users() -> None:
    assert run_ports.holder(free_port()) == "a process of another user"
