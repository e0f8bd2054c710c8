"""Images for the compose stack without a registry: ours from its own Dockerfile, the others made of Debian's packages.

Each has the name that the compose file or the Dockerfile gives, and what these rely on: where the program is, who it
runs as, which folder it may write to, and wget.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support import bare_debian, tools
from tests.support.docker_engine import DockerEngine
from tests.support.tools import ROOT

COMPOSE_FILE = ROOT / "compose/compose.yml"
_DOCKER = "/usr/bin/docker"
_BARE = "mailserver-exporter/bare-debian:test"


def default_image(service: str) -> str:
    """Return the image of a service where .env says nothing."""
    services: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
    found = re.fullmatch(r"\$\{[A-Z_]+:-(.+)\}", services[service]["image"])
    assert found
    return found[1]


def make_all(engine: DockerEngine, folder: Path) -> None:
    """Make every image that the stack needs, the profile grafana excepted."""
    with bare_debian.archive().open("rb") as archive:
        _docker(engine, "import", "-", _BARE, stdin=archive)
    _python(engine, folder / "python")
    _docker(
        engine, "build", "--network=host", f"--file={ROOT}/compose/Dockerfile", _tag(default_image("exporter")), ROOT
    )
    _go_program(engine, folder / "prometheus", "prometheus", "prometheus", "/prometheus")
    _go_program(engine, folder / "alertmanager", "alertmanager", "prometheus-alertmanager", "/alertmanager")


def _python(engine: DockerEngine, folder: Path) -> None:
    """Make the official Python image's stand-in: Debian's Python by the name `python`, with pip."""
    [name] = set(re.findall(r"^FROM (\S+)", (ROOT / "compose/Dockerfile").read_text(), re.MULTILINE))
    folder.mkdir()
    [wheel] = tools.unpacked("python3-pip-whl", tools.debian_packages.own_release()).glob(
        "usr/share/python-wheels/pip-*"
    )
    shutil.copy(wheel, folder)
    (folder / "pip").write_text(f'#!/bin/sh\nexec python3 /opt/{wheel.name}/pip "$@"\n')
    (folder / "pip").chmod(0o755)
    shutil.copy(bare_debian.CERTIFICATES, folder / "certificates.crt")
    (folder / "Dockerfile").write_text(
        f"FROM {_BARE}\n"
        f"COPY {wheel.name} certificates.crt /opt/\n"
        "COPY pip /usr/local/bin/\n"
        "RUN ln -s /usr/bin/python3 /usr/local/bin/python\n"
        "ENV PIP_CERT=/opt/certificates.crt\n"
    )
    _docker(engine, "build", _tag(name), folder)


def _go_program(engine: DockerEngine, folder: Path, service: str, program: str, writable: str) -> None:
    """Make the stand-in of prom/prometheus and prom/alertmanager from sid's package."""
    root = tools.unpacked(program, "sid")
    for name in (f"usr/bin/{program}", f"usr/libexec/relocated/{program}"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, folder / name)
    shutil.copytree(root / "usr/share/prometheus", folder / "usr/share/prometheus", symlinks=True)
    busybox = shutil.which("busybox")
    assert busybox, "busybox is missing: install what tests/debian-packages.txt names"
    shutil.copy(busybox, folder / "busybox")
    (folder / "Dockerfile").write_text(
        f"FROM {_BARE}\n"
        "COPY usr /usr/\n"
        "COPY busybox /usr/bin/wget\n"
        f"RUN mkdir {writable} && chown 65534:65534 {writable}\n"
        "USER 65534\n"
        f"VOLUME {writable}\n"
        f"ENTRYPOINT ['/usr/bin/{program}']\n".replace("'", '"')
    )
    _docker(engine, "build", _tag(default_image(service)), folder)


def _tag(name: str) -> str:
    return f"--tag={name}"


def _docker(engine: DockerEngine, *arguments: str | Path, stdin: Any = subprocess.DEVNULL) -> None:
    # The builder that needs no plugin.
    environment = {**os.environ, "DOCKER_HOST": engine.host, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        [_DOCKER, *arguments],
        stdin=stdin,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"docker {arguments[0]}: {done.stdout[-4000:]}"
