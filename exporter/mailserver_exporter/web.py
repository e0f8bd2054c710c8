"""The web server: metrics, health, the status page, reload, and the webhook that keeps the alert log.

Answers are small and made in memory. Every connection has a timeout and there is a bound on how many are served at
once, so that a client that says nothing holds up nobody.
"""

from __future__ import annotations

import logging
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from mailserver_exporter import __version__, alert_log, status_page
from mailserver_exporter.app import App
from mailserver_exporter.exposition import CONTENT_TYPE
from mailserver_exporter.schema import ConfigError
from mailserver_exporter.web_config import WebConfig

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_CONNECTIONS = 32
CLIENT_TIMEOUT_SECONDS = 15
# What Prometheus waits for if it does not say, and what is kept back of what it says for sending the answer.
DEFAULT_SCRAPE_SECONDS = 10.0
SCRAPE_OFFSET_SECONDS = 0.5

_TEXT_TYPE = "text/plain; charset=utf-8"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    app: ClassVar[App]
    web_config: ClassVar[WebConfig]

    protocol_version = "HTTP/1.1"
    timeout = CLIENT_TIMEOUT_SECONDS
    server_version = f"mailserver-exporter/{__version__}"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer the pages."""
        self._dispatch(
            {
                "/": self._status,
                "/metrics": self._metrics,
                "/-/healthy": lambda: self._answer(200, b"healthy\n"),
                "/-/ready": lambda: self._answer(200, b"ready\n"),
            }
        )

    do_HEAD = do_GET  # noqa: N815 - the base class looks the method up by this name

    def do_POST(self) -> None:
        """Answer what changes something."""
        self._dispatch({"/-/reload": self._reload, "/alerts": self._alerts})

    def _dispatch(self, routes: dict[str, Callable[[], None]]) -> None:
        if not self.web_config.admits(self.headers.get("Authorization")):
            self._answer(401, b"a user name and password are needed\n", {"WWW-Authenticate": "Basic"})
            return
        route = routes.get(self.path.partition("?")[0])
        if route is None:
            self._answer(404, b"there is nothing here; / lists what there is\n")
            return
        route()

    def _metrics(self) -> None:
        try:
            budget = float(self.headers.get("X-Prometheus-Scrape-Timeout-Seconds", DEFAULT_SCRAPE_SECONDS))
        except ValueError:
            budget = DEFAULT_SCRAPE_SECONDS
        budget = min(max(budget - SCRAPE_OFFSET_SECONDS, 0.5), 60.0)
        self._answer(200, self.app.scrape(budget), {"Content-Type": CONTENT_TYPE})

    def _status(self) -> None:
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
        }
        self._answer(200, status_page.render(self.app).encode(), headers)

    def _reload(self) -> None:
        try:
            self.app.reload()
        except ConfigError as error:
            self._answer(400, f"{error}\nthe running configuration is kept\n".encode())
        else:
            self._answer(200, b"reloaded\n")

    def _alerts(self) -> None:
        """Log a notification; anything but 200 makes Alertmanager send it again (5xx) or give it up (4xx)."""
        # A browser cannot send this type across sites without asking first, so no page can write into the log.
        if self.headers.get_content_type() != "application/json":
            self._answer(415, b"application/json is expected\n")
            return
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,9}", length) or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            self._answer(413, f"a body of up to {MAX_BODY_BYTES} bytes with its length is expected\n".encode())
            return
        body = self.rfile.read(int(length))
        if len(body) != int(length):
            self.close_connection = True
            return
        try:
            records = alert_log.parse(body)
            self.app.setup.alert_log.append(records)
        except alert_log.PayloadError as error:
            log.warning("alert webhook: %s", error)
            self._answer(400, f"{error}\n".encode())
        except OSError as error:
            log.error("alert log %s cannot be written: %s", self.app.setup.alert_log.path, error.strerror)  # noqa: TRY400
            self._answer(500, b"the alert log cannot be written\n")
        else:
            self._answer(200, b"logged\n")

    def _answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": _TEXT_TYPE, **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.command == "POST" and code >= 400:
            # The body may not have been read; what is left of it must not be taken for the next request.
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Requests are told at debug level only, without the headers."""
        log.debug("%s %s", self.address_string(), format % args)


class Server(ThreadingHTTPServer):
    """A listener of the exporter."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], app: App, web_config: WebConfig, slots: threading.Semaphore) -> None:
        """Bind; raises OSError."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        handler = type("BoundHandler", (Handler,), {"app": app, "web_config": web_config})
        self._web_config = web_config
        self._slots = slots
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind, IPv6 addresses without their IPv4 shadow, and without asking DNS for our own name."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        host, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.server_name = f"[{host}]" if ":" in host else host

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread of its own, or drop the connection when too many are open."""
        if not self._slots.acquire(blocking=False):
            log.warning("more than %d connections at once, one was dropped", MAX_CONNECTIONS)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:
            # No thread could be started; the base class closes the connection.
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Do the TLS handshake here, where it can hold up nobody else."""
        try:
            request.settimeout(CLIENT_TIMEOUT_SECONDS)
            context = self._web_config.tls_context()
            if context is not None:
                request = context.wrap_socket(request, server_side=True)
            super().process_request_thread(request, client_address)
        except (OSError, ssl.SSLError) as error:
            log.debug("connection from %s: %s", client_address, error)
            self.shutdown_request(request)
        finally:
            self._slots.release()

    def handle_error(
        self,
        request: Any,  # noqa: ARG002 - the base class's arguments
        client_address: Any,
    ) -> None:
        """Tell of a request that failed in an unforeseen way; the connection is closed by the base class."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            log.debug("connection from %s: %s", client_address, error)  # the client has gone; that is its right
        else:
            log.exception("request from %s failed", client_address)


def serve(addresses: list[tuple[str, int]], app: App, web_config: WebConfig) -> list[Server]:
    """Bind every address and serve it from a thread; raises OSError when one cannot be bound."""
    servers: list[Server] = []
    slots = threading.Semaphore(MAX_CONNECTIONS)
    try:
        for address in addresses:
            servers.append(Server(address, app, web_config, slots))
    except OSError:
        for server in servers:
            server.server_close()
        raise
    for server in servers:
        threading.Thread(target=server.serve_forever, name="web", daemon=True).start()
    return servers
