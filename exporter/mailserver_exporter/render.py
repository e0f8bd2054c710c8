"""Write the files of Alertmanager and Prometheus from ``config.yml``.

The templates are valid YAML. Values are put in as data after parsing and never as text, so that no value can change
what the file means. The files are valid for Alertmanager 0.25, which reads neither a bot token nor a webhook's URL from
a file and takes the newline of a password file for a part of the password: secrets are therefore put into the rendered
file, which only its owner can read.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from mailserver_exporter.config import Config, ConfigError, Problem
from mailserver_exporter.resources import shipped
from mailserver_exporter.settings.notifications import Email, Notifications, Telegram

_HEADER = "# Written by `mailserver-exporter render` from config.yml; changes made here are lost.\n"
_MAX_SECRET_BYTES = 4096
_WARNING_REPEAT_SECONDS = 12 * 3600


@dataclass(frozen=True)
class Urls:
    """Where the three parts listen."""

    exporter: str = "http://127.0.0.1:9925"
    prometheus: str = "http://127.0.0.1:9090"
    alertmanager: str = "http://127.0.0.1:9093"


@dataclass(frozen=True)
class Secrets:
    """What the ``*_file`` settings point to; empty where nothing is configured."""

    bot_token: str = ""
    smtp_password: str = ""
    heartbeat_url: str = ""

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return bool(self.bot_token or self.smtp_password or self.heartbeat_url)


def write(output: Path, config: Config, instance: str, urls: Urls, secrets: Secrets, *, owner: str = "") -> list[Path]:
    """Write everything below ``output``, which Alertmanager and Prometheus may use as their folder; return the files.

    Each file is replaced in one step. What holds a secret is readable by its owner only: by ``owner`` (USER, UID or
    USER:GROUP) where given. Raises OSError and LookupError (no such owner).
    """
    _make(output)
    with_secrets = 0o600 if secrets else 0o644
    written = [
        _write(output / "alertmanager.yml", _dump(alertmanager(config, instance, urls, secrets)), with_secrets, owner),
        _write(output / "prometheus.yml", _dump(prometheus(instance, urls)), 0o644, owner),
    ]
    for folder, pattern in (("alertmanager/templates", "*.tmpl"), ("rules", "*.rules.yml")):
        written += _copy(shipped(folder), output / Path(folder).name, pattern, owner)
    return written


def alertmanager(config: Config, instance: str, urls: Urls, secrets: Secrets) -> dict[str, Any]:
    """Return Alertmanager's configuration as data; ``instance`` is the host's name."""
    content: dict[str, Any] = yaml.safe_load(shipped("alertmanager/alertmanager.yml").read_bytes())
    receivers = {receiver["name"]: receiver for receiver in content["receivers"]}
    receivers["log"]["webhook_configs"][0]["url"] = urls.exporter.rstrip("/") + "/alerts"
    settings = config.notifications
    if settings.heartbeat:
        receivers["heartbeat"]["webhook_configs"][0]["url"] = secrets.heartbeat_url
    else:
        # Without a heartbeat URL the Watchdog still has its route: to nowhere.
        del receivers["heartbeat"]["webhook_configs"]
    if settings.telegram:
        receivers["telegram"]["telegram_configs"][0] |= _telegram(settings.telegram, secrets)
    if settings.email:
        receivers["email"]["email_configs"][0] |= _email(settings.email, instance, secrets)
    absent = {name for name in ("telegram", "email") if getattr(settings, name) is None}
    content["receivers"] = [receiver for receiver in content["receivers"] if receiver["name"] not in absent]
    routes = [route for route in content["route"]["routes"] if route["receiver"] not in absent]
    for route in routes:
        if route["receiver"] in ("telegram", "email"):
            _throttle(route, settings.throttle)
    content["route"]["routes"] = routes
    return content


def _throttle(route: dict[str, Any], throttle: float) -> None:
    # Repeats are looked at each throttle time only, so one that is due a little earlier is sent at just that moment.
    early = throttle / 60
    route["group_interval"] = duration(throttle)
    route["repeat_interval"] = duration(max(throttle, _WARNING_REPEAT_SECONDS) - early)
    [critical] = route["routes"]
    critical["repeat_interval"] = duration(throttle - early)


def _telegram(settings: Telegram, secrets: Secrets) -> dict[str, Any]:
    return {"bot_token": secrets.bot_token, "chat_id": settings.chat_id, "api_url": settings.api_url}


def _email(settings: Email, instance: str, secrets: Secrets) -> dict[str, Any]:
    # Port 465 speaks TLS from the first byte; 0.25 would ask for STARTTLS inside of it.
    implicit_tls = settings.smarthost.endswith(":465")
    values: dict[str, Any] = {
        "to": ", ".join(settings.to),
        "from": settings.sender,
        "smarthost": settings.smarthost,
        "hello": instance,
        "require_tls": settings.require_tls and not implicit_tls,
    }
    if settings.username:
        values |= {"auth_username": settings.username, "auth_password": secrets.smtp_password}
    if settings.ca_file:
        values["tls_config"] = {"ca_file": str(settings.ca_file)}
    return values


def prometheus(instance: str, urls: Urls) -> dict[str, Any]:
    """Return Prometheus' configuration as data; ``instance`` becomes the label of that name."""
    content: dict[str, Any] = yaml.safe_load(shipped("compose/prometheus.yml").read_bytes())
    jobs = {job["job_name"]: job for job in content["scrape_configs"]}
    for name, url in (
        ("mailserver-exporter", urls.exporter),
        ("prometheus", urls.prometheus),
        ("alertmanager", urls.alertmanager),
    ):
        parts = urlsplit(url)
        jobs[name]["static_configs"] = [{"targets": [parts.netloc], "labels": {"instance": instance}}]
        jobs[name]["scheme"] = parts.scheme
        jobs[name]["metrics_path"] = parts.path.rstrip("/") + "/metrics"
    parts = urlsplit(urls.alertmanager)
    [told] = content["alerting"]["alertmanagers"]
    told |= {"scheme": parts.scheme, "path_prefix": parts.path or "/", "static_configs": [{"targets": [parts.netloc]}]}
    return content


def read_secrets(settings: Notifications, config_file: str) -> Secrets:
    """Read the files that hold secrets. Raises ConfigError with all that cannot be used; no message tells a secret."""
    problems: list[Problem] = []

    def secret(path: Path | None, key: str, allowed: str, good: Callable[[str], bool]) -> str:
        try:
            return _secret(path, allowed, good) if path else ""
        except ValueError as error:
            problems.append(Problem(config_file, 0, f"notifications.{key}", f"{path} {error}"))
            return ""

    secrets = Secrets(
        bot_token=secret(
            settings.telegram.bot_token_file if settings.telegram else None,
            "telegram.bot_token_file",
            "must hold a bot token as BotFather gives it, such as 123456:ABC-def",
            _is_bot_token,
        ),
        smtp_password=secret(
            settings.email.password_file if settings.email else None,
            "email.password_file",
            "must hold one line, the password",
            str.isprintable,
        ),
        heartbeat_url=secret(
            settings.heartbeat.url_file if settings.heartbeat else None,
            "heartbeat.url_file",
            "must hold one URL that begins with http:// or https://",
            lambda text: text.startswith(("http://", "https://")) and " " not in text,
        ),
    )
    if problems:
        raise ConfigError(problems)
    return secrets


def _secret(path: Path, allowed: str, good: Callable[[str], bool]) -> str:
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_SECRET_BYTES).decode().strip()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(allowed) from None
    if not text:
        raise ValueError("is empty")
    if not text.isprintable() or not good(text):
        raise ValueError(allowed)
    return text


def _is_bot_token(text: str) -> bool:
    number, colon, key = text.partition(":")
    return number.isdecimal() and bool(colon and key) and key.replace("-", "").replace("_", "").isalnum()


def duration(seconds: float) -> str:
    """Return a duration as Prometheus and Alertmanager write it, such as ``59m`` or ``5s900ms``."""
    rest = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the base class's argument
        """Write what occurs twice twice, as it is read more easily."""
        return True


def _dump(content: dict[str, Any]) -> bytes:
    return (_HEADER + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)).encode()


def _copy(source: Path, target: Path, pattern: str, owner: str) -> list[Path]:
    _make(target)
    return [_write(target / file.name, file.read_bytes(), 0o644, owner) for file in sorted(source.glob(pattern))]


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True)
        # Whatever our umask: Prometheus and Alertmanager have to look into it, as users of their own.
        folder.chmod(0o755)


def _write(path: Path, data: bytes, mode: int, owner: str) -> Path:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if owner:
            user, _, group = owner.partition(":")
            shutil.chown(temporary, _id(user), _id(group) if group else None)
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        os.unlink(temporary)
        raise
    return path


def _id(name: str) -> str | int:
    return int(name) if name.isdecimal() else name
