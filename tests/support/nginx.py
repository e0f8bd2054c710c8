"""A real nginx of its own: HTTPS and HTTP, with answers of every kind (Debian's package ``nginx-light``)."""

from __future__ import annotations

import re
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.support.processes import Program, free_port, wait_for

_CONFIGURATION = """\
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{http_port};
        listen 127.0.0.1:{https_port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {certificate};
        ssl_protocols {protocols};
        ssl_ciphers ALL:@SECLEVEL=0;
        if (-e {folder}/broken) {{ return 502; }}
        location / {{ return 200 "webmail\\n"; }}
        location /login {{ return 302 /; }}
        location /private {{ return 401; }}
        location /gone {{ return 404; }}
        location /broken {{ return 502; }}
        {locations}
    }}
}}
"""


class Nginx:
    """An nginx with ``http_port`` and ``https_port``; ``certificate`` is a PEM file with the key in it.

    ``locations`` are more paths, each with what nginx does there, such as ``return 204;``.
    """

    def __init__(
        self, certificate: Path, *, protocols: str = "TLSv1.2 TLSv1.3", locations: Mapping[str, str] | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nginx-"))
        self.folder.chmod(0o755)
        self.http_port = free_port()
        self.https_port = free_port()
        self._configuration = self.folder / "nginx.conf"
        self._configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                certificate=certificate,
                protocols=protocols,
                locations=" ".join(f"location = {path} {{ {what} }}" for path, what in (locations or {}).items()),
                http_port=self.http_port,
                https_port=self.https_port,
            )
        )
        self._program = Program(
            ["/usr/sbin/nginx", "-c", self._configuration, "-e", self.folder / "error.log"],
            self.folder / "nginx.out",
            ready=(self.folder / "pid").exists,
        )

    def start(self) -> Nginx:
        """Start it; also after ``stop``."""
        self._program.start()
        return self

    def stop(self) -> None:
        """End it; its files stay."""
        self._program.stop()
        (self.folder / "pid").unlink(missing_ok=True)

    def reload(self) -> None:
        """Let it read the certificate anew; returns once new connections get it."""
        before = _children(self._program.pid)
        self._program.send(signal.SIGHUP)
        wait_for("nginx has a new worker alone", lambda: not before & (now := _children(self._program.pid)) and now)

    def take(self, protocols: str) -> None:
        """Let it speak these versions of TLS alone, at once."""
        text = self._configuration.read_text()
        self._configuration.write_text(re.sub("ssl_protocols .*;", f"ssl_protocols {protocols};", text))
        self.reload()

    def break_pages(self) -> None:
        """Answer every request with 502, as a proxy does whose application is gone."""
        (self.folder / "broken").touch()

    def mend_pages(self) -> None:
        """Take that back."""
        (self.folder / "broken").unlink(missing_ok=True)

    def access_log(self, lines: int) -> list[str]:
        """Return the access log once it has as many lines: nginx writes one when a request is over."""
        path = self.folder / "access.log"

        def complete() -> list[str]:
            found = path.read_text().splitlines()
            return found if len(found) >= lines else []

        found = wait_for(f"{lines} lines in nginx's access log", complete)
        assert isinstance(found, list)
        return found

    def __enter__(self) -> Nginx:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self._program.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(pid: int) -> set[int]:
    return {child.pid for child in psutil.Process(pid).children()}
