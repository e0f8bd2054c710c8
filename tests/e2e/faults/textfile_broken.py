"""Another job has left a file with metrics that is broken."""

from __future__ import annotations

from tests.e2e.world import World

EXPECTED = [("TextfileError", "warning")]


def inject(world: World) -> None:
    _write(world, 'my_job_duration_seconds{step="half\n')


def recover(world: World) -> None:
    _write(world, "")


def _write(world: World, content: str) -> None:
    """In one step, as such jobs should."""
    new = world.textfiles / "job.new"
    new.write_text(content)
    new.replace(world.textfiles / "job.prom")
