#!/usr/bin/env python3
"""Watch this host: run the exporter, Prometheus and Alertmanager together until Ctrl-C.

Everything listens on 127.0.0.1 and keeps its files below .run in the project. Prometheus and Alertmanager are taken
from the PATH, or Debian's packages are fetched into .cache and unpacked there, not installed. The configuration is
config.yml in the project or /etc/mailserver-exporter/config.yml, where there is one. Without any, everything is
detected, and alerts go to the alert log and to this console.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import debian_packages
import run_alerts
import run_ports
import run_programs
from mailserver_exporter.config import ConfigError, load
from run_lock import LockedError, only_one
from run_parts import Part, PartError, WrongUseError
from run_stack import PORTS, Stack

PROJECT = Path(__file__).resolve().parents[1]
CONFIG_FILES = (PROJECT / "config.yml", Path("/etc/mailserver-exporter/config.yml"))
READY_SECONDS = 60

EXIT_GOOD, EXIT_FAILED, EXIT_WRONG_USE = 0, 1, 2


class Stopped(BaseException):
    """The admin asked us to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stopped and return the exit status: 0 stopped, 1 something failed, 2 wrong use or configuration."""
    options = _parser().parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    ports = {name: getattr(options, name) for name in PORTS}
    try:
        with only_one(options.state, f"http://127.0.0.1:{ports['exporter']}/"):
            _watch(options, ports)
    except Stopped:
        _say("stopped")
    except (PartError, run_programs.ProgramError, debian_packages.FetchError) as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    except (LockedError, ConfigError, WrongUseError) as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USE
    except PermissionError as error:
        print(
            f"{error.filename}: permission denied; if another user made it, that one can `make clean`", file=sys.stderr
        )
        return EXIT_WRONG_USE
    return EXIT_GOOD


def _watch(options: argparse.Namespace, ports: dict[str, int]) -> None:
    os.environ.setdefault("STATE_DIRECTORY", str(options.state / "state"))
    config_file = options.config_file or next(filter(Path.exists, CONFIG_FILES), None)
    config = load(config_file)
    _check_ports(ports)
    stack = Stack(options.state, config_file, config, ports)
    alerts = run_alerts.AlertLog(config.alert_log_file)
    try:
        for part in stack.parts:
            part.start()
        _wait(stack.parts, "ready", lambda: all(part.ready() for part in stack.parts))
        _wait(stack.parts, "measured by Prometheus", stack.scraped)
        _say(stack.description())
        while True:
            for line in alerts.news():
                _say(line)
            _none_ended(stack.parts)
            time.sleep(0.5)
    finally:
        _ignore_signals()
        alerts.close()
        for part in reversed(stack.parts):
            part.stop()


def _check_ports(ports: dict[str, int]) -> None:
    problems = []
    if len(set(ports.values())) < len(ports):
        problems.append(f"each needs a port of its own, not {', '.join(map(str, ports.values()))}")
    for name, port in ports.items():
        if not run_ports.is_free(port):
            problems.append(
                f"port {port}, wanted for {name}, is taken by {run_ports.holder(port)}; "
                f"choose another: make run {name.upper()}_PORT={port + 10000 if port < 55000 else port - 10000}"
            )
    if problems:
        raise WrongUseError("\n".join(problems))


def _wait(parts: Sequence[Part], what: str, condition: Callable[[], bool]) -> None:
    end = time.monotonic() + READY_SECONDS
    while not condition():
        _none_ended(parts)
        if time.monotonic() > end:
            late = ", ".join(part.title for part in parts if not part.ready()) or "the exporter"
            raise PartError(f"after {READY_SECONDS} s still not {what}: {late}; the logs are in {parts[0].log.parent}")
        time.sleep(0.1)


def _none_ended(parts: Sequence[Part]) -> None:
    for part in parts:
        if part.ended():
            raise PartError(part.how_it_ended() + "\nthe rest is stopped")


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except OSError:
        # The console is gone, such as `| tee` at Ctrl-C. The watching goes on, and so does the alert log.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a signal handler is given
    _ignore_signals()
    raise Stopped


def _ignore_signals() -> None:
    """Let nothing disturb the stopping, which takes bounded time."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make run",
        usage='make run [ARGS="..."]',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit status: 0 stopped by Ctrl-C or SIGTERM, 1 a part failed, 2 wrong use or configuration",
    )
    parser.add_argument(
        "--config.file", dest="config_file", type=Path, metavar="FILE", help="the configuration to use instead"
    )
    for name, port in PORTS.items():
        variable = f"{name.upper()}_PORT"
        parser.add_argument(
            f"--{name}-port",
            dest=name,
            type=_port,
            default=os.environ.get(variable) or port,
            metavar="PORT",
            help=f"default {port}; also make run {variable}=PORT",
        )
    parser.add_argument(
        "--state",
        type=lambda text: Path(text).resolve(),
        default=PROJECT / ".run",
        metavar="DIR",
        help="where to keep state, logs and alerts (default .run in the project)",
    )
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to 65535")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
