"""Find out which mail stack runs here and where its parts are.

mailcow is recognised by its ``mailcow.conf`` (facts: generate_config.sh of mailcow-dockerized), a plain Postfix host by
its ``/etc/postfix/main.cf``. Looked at again every minute, because a stack may be installed after the exporter.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailserver_exporter.config import Config
from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError, files, postfix_conf, shellconf

_DIRECTORIES = ("/opt/mailcow-dockerized", "/srv/mailcow-dockerized", "/root/mailcow-dockerized")
_DOCKER_CONFIGURATION = "/etc/docker/daemon.json"
_DOCKER_DATA = "/var/lib/docker"
_HOST_NAME = re.compile(r"(?=.{1,253}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_REFRESH_SECONDS = 60.0


@dataclass(frozen=True)
class Stack:
    """What is known of the mail stack. Paths are the host's own; ports are numbers on the host."""

    kind: str
    directory: str = ""
    hostname: str = ""
    queue_directory: str = ""
    vmail_directory: str = ""
    project: str = ""
    # Where Postfix writes its log when not to syslog.
    mail_log: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


# mailcow.conf's own names of the published ports, and what they are when it says nothing.
_MAILCOW_PORTS = {
    "SMTP_PORT": 25,
    "SMTPS_PORT": 465,
    "SUBMISSION_PORT": 587,
    "IMAP_PORT": 143,
    "IMAPS_PORT": 993,
    "POP_PORT": 110,
    "POPS_PORT": 995,
    "SIEVE_PORT": 4190,
    "HTTPS_PORT": 443,
}


class MailStack:
    """The mail stack of a host, detected at first use and again each minute."""

    def __init__(self, config: Config, host: Host) -> None:
        self._config = config
        self._host = host
        self._lock = threading.Lock()
        self._stack: Stack | None = None
        self._looked = 0.0

    def get(self) -> Stack:
        """Return what is there now (kind ``none`` where there is no mail stack)."""
        with self._lock:
            if self._stack is None or time.monotonic() - self._looked > _REFRESH_SECONDS:
                self._stack = self._detect()
                self._looked = time.monotonic()
            return self._stack

    def _detect(self) -> Stack:
        wanted = self._config.mail_stack
        if wanted.kind in ("auto", "mailcow"):
            for directory in [str(wanted.directory)] if wanted.directory else _DIRECTORIES:
                path = self._host.path(f"{directory}/mailcow.conf")
                if os.path.exists(path):
                    return self._mailcow(directory, path)
        main_cf = self._host.path("/etc/postfix/main.cf")
        if wanted.kind in ("auto", "native") and os.path.exists(main_cf):
            return _native(main_cf)
        return Stack("none")

    def _mailcow(self, directory: str, path: str) -> Stack:
        problem = ""
        values: Mapping[str, str] = {}
        try:
            values = shellconf.parse(files.read(path))
        except (OSError, SourceError) as error:
            problem = f"cannot read mailcow.conf, using mailcow's defaults: {error}"
        project = values.get("COMPOSE_PROJECT_NAME", "mailcowdockerized")
        ports, hosts = {}, {}
        for name, default in _MAILCOW_PORTS.items():
            host, _, port = values.get(name, "").rpartition(":")
            ports[name] = int(port) if re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65536 else default
            bind = host or (values.get("HTTPS_BIND", "") if name == "HTTPS_PORT" else "")
            hosts[name] = "127.0.0.1" if bind in ("", "0.0.0.0", "[::]", "::") else bind.strip("[]")  # noqa: S104
        volumes = f"{_docker_data(self._host)}/volumes"
        return Stack(
            "mailcow",
            directory=directory,
            hostname=_host_name(values.get("MAILCOW_HOSTNAME", "")),
            queue_directory=f"{volumes}/{project}_postfix-vol-1/_data",
            vmail_directory=f"{volumes}/{project}_vmail-vol-1/_data",
            project=project,
            ports=ports,
            hosts=hosts,
            problem=problem,
        )


def _docker_data(host: Host) -> str:
    """Return where Docker keeps its volumes: ``data-root`` of its daemon.json, dockerd(8), or the usual place."""
    try:
        content = json.loads(files.read(host.path(_DOCKER_CONFIGURATION)))
    except (OSError, SourceError, ValueError, RecursionError):
        return _DOCKER_DATA  # as for nearly everybody; where it is wrong, the queue is told to be missing
    root = content.get("data-root") if isinstance(content, dict) else None
    return root.rstrip("/") if isinstance(root, str) and root.startswith("/") else _DOCKER_DATA


def _host_name(text: str) -> str:
    """Return a name that can be sent in TLS, or nothing: main.cf may hold a variable, and anything a typing error."""
    return text if _HOST_NAME.fullmatch(text) else ""


def _native(path: str) -> Stack:
    problem = ""
    values: Mapping[str, str] = {}
    try:
        values = postfix_conf.parse(files.read(path))
    except (OSError, SourceError) as error:
        problem = f"cannot read main.cf, using Postfix' defaults: {error}"
    directory = values.get("queue_directory", "")
    mail_log = values.get("maillog_file", "")
    return Stack(
        "native",
        hostname=_host_name(values.get("myhostname", "")),
        queue_directory=directory if directory.startswith("/") else "/var/spool/postfix",
        vmail_directory="/var/vmail",
        mail_log=mail_log if mail_log.startswith("/") and not mail_log.startswith("/dev/") else "",
        problem=problem,
    )
