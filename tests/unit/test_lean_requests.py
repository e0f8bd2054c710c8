"""requests without what costs memory and is not used, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from tests.support.tools import ROOT

SCRIPT = """
import sys
from mailserver_exporter.sources import lean_requests
lean_requests.load()
lean_requests.load()
assert "requests" in sys.modules
assert "charset_normalizer" not in sys.modules
import docker, requests
answer = requests.Response()
answer._content = '{"name": "ü"}'.encode()
assert answer.json() == {"name": "ü"}
assert answer.text == '{"name": "ü"}'
import charset_normalizer
"""


def test_requests_works_without_guessing_character_sets() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        env={"PYTHONPATH": str(ROOT / "exporter")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
