"""The exporters that ours takes the place of, run for the same share: host, processes, and the same nine ports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.support.processes import Program, answers, free_port
from tests.support.tools import program

_DIALOGS: dict[str, dict[str, Any]] = {
    "smtp": {"query_response": [{"expect": "^220"}, {"send": "QUIT"}]},
    "imap": {"query_response": [{"expect": r"^\* OK"}, {"send": ". LOGOUT"}]},
    "pop3": {"query_response": [{"expect": r"^\+OK"}, {"send": "QUIT"}]},
    "sieve": {"query_response": [{"expect": "^OK"}, {"send": "LOGOUT"}]},
}


@contextlib.contextmanager
def node_exporter(folder: Path, *flags: str) -> Iterator[tuple[Program, str]]:
    """Run node_exporter; yield it and its metrics URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    command = [
        *(program("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}"),
        *flags,
    ]
    with Program(command, folder / f"node_exporter-{port}.log", ready=lambda: answers(url)) as running:
        yield running, url


@contextlib.contextmanager
def blackbox_exporter(folder: Path, targets: list[dict[str, Any]]) -> Iterator[tuple[Program, list[str]]]:
    """Run blackbox_exporter; yield it and the probe URLs of the targets (as in config.yml)."""
    port = free_port()
    modules: dict[str, Any] = {}
    urls = []
    for target in targets:
        tls = target.get("tls") == "implicit"
        name = target["protocol"] + ("_tls" if tls else "")
        address = f"127.0.0.1:{target['port']}"
        if target["protocol"] == "https":
            modules[name] = {"prober": "http", "http": {"tls_config": {"insecure_skip_verify": True}}}
            address = f"https://{address}/"
        else:
            tcp = {**_DIALOGS[target["protocol"]], "tls": tls, "tls_config": {"insecure_skip_verify": True}}
            modules[name] = {"prober": "tcp", "tcp": tcp}
        urls.append(f"http://127.0.0.1:{port}/probe?target={address}&module={name}")
    configuration = folder / "blackbox.yml"
    configuration.write_text(yaml.safe_dump({"modules": modules}))
    command = [
        *(program("prometheus-blackbox-exporter"), f"--web.listen-address=127.0.0.1:{port}"),
        f"--config.file={configuration}",
    ]
    ready = lambda: answers(f"http://127.0.0.1:{port}/-/healthy")  # noqa: E731
    with Program(command, folder / "blackbox.log", ready=ready) as running:
        yield running, urls


def get(url: str) -> str:
    """Fetch one answer; raises requests.RequestException."""
    answer = requests.get(url, timeout=15)
    answer.raise_for_status()
    return answer.text
