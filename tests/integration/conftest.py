"""What several integration tests share, because it takes seconds to start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.support.docker_engine import DockerEngine
from tests.support.fail2ban import Fail2ban
from tests.support.history import History
from tests.support.postfix import Postfix


# Not for the whole session: one engine at a time, and a whole mail host of a later module brings its own.
@pytest.fixture(scope="module")
def docker_engine() -> Iterator[DockerEngine]:
    """A Docker Engine with the busybox image; a test removes the containers it made and leaves the daemon running."""
    with DockerEngine() as engine:
        engine.import_busybox()
        yield engine


@pytest.fixture(scope="session")
def postfix_server() -> Iterator[Postfix]:
    """A Postfix without TLS, shared; tests take ``postfix``, which is this one with an empty queue."""
    with Postfix() as postfix:
        yield postfix


@pytest.fixture
def postfix(postfix_server: Postfix) -> Iterator[Postfix]:
    """A running Postfix with an empty queue; a test that stops or freezes it leaves that as it is."""
    yield postfix_server
    postfix_server.thaw()
    postfix_server.delete()
    if not postfix_server.running():
        postfix_server.start()


@pytest.fixture
def fail2ban() -> Iterator[Fail2ban]:
    """A running fail2ban with the jails ``sshd`` and ``postfix`` and no bans."""
    with Fail2ban(jails=("sshd", "postfix")) as fail2ban:
        yield fail2ban


@pytest.fixture(scope="session")
def histories() -> Iterator[Callable[[str], History]]:
    """Return the Prometheus that has watched a host for two weeks, by scenario: good, bad, first_day, gaps."""
    with contextlib.ExitStack() as cleanup:
        running: dict[str, History] = {}

        def history(scenario: str) -> History:
            if scenario not in running:
                running[scenario] = cleanup.enter_context(History(scenario))
            return running[scenario]

        yield history
