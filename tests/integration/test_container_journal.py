"""Containers that log to the journal, which takes a Docker Engine that sees a journal of our own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from mailserver_exporter.sources.container_log import ContainerLog
from mailserver_exporter.sources.docker_api import Api
from tests.integration.test_container_logs import BEGINNING, SCRIPT, assert_all_is_read, run
from tests.support.docker_engine import DockerEngine
from tests.support.journald import Journald

# Another's Docker Engine may have to end first.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    with Journald() as journald, DockerEngine(journald.inside) as engine:
        engine.import_busybox()
        yield engine
        engine.remove_containers()


def test_the_journal_driver_is_read(engine: DockerEngine) -> None:
    run(engine, SCRIPT, "journald")
    with contextlib.ExitStack() as cleanup:

        def follow(position: Any = BEGINNING) -> ContainerLog:
            log = ContainerLog(Api(str(engine.socket)), "postfix", position=position)
            cleanup.callback(log.close)
            return log

        assert_all_is_read(follow(), follow)
