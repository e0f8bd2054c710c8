"""The application behind nginx is gone: it answers 502."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("WebmailDown", "critical")]


def inject(world: World) -> None:
    world.nginx.break_pages()


def recover(world: World) -> None:
    world.nginx.mend_pages()
