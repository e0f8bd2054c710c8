"""What the command line takes: its commands, their arguments and their help."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mailserver_exporter import __version__, cli_options, logs

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_DESCRIPTION = """\
Watch a self-hosted mail server. Without a command: measure and serve metrics for Prometheus until ended.
SIGHUP or a POST to /-/reload reads the configuration again; a bad one is refused and the running one kept."""

_EPILOG = """\
Every flag with a dot is also an environment variable: --web.listen-address is MAILSERVER_EXPORTER_WEB_LISTEN_ADDRESS.

exit status: 0 good, 1 a finding (for example a check that failed), 2 wrong use or configuration"""


def parser() -> argparse.ArgumentParser:
    """Return the parser; ``command`` of what it gives is the command, or ``serve``."""
    # Flags are accepted before and after the command; SUPPRESS keeps a subcommand's silence from undoing the former.
    common = argparse.ArgumentParser(add_help=False)
    _add_common(common, suppress=True)
    parser = argparse.ArgumentParser(
        prog="mailserver-exporter",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(parser, suppress=False)
    parser.add_argument("--version", action="version", version=f"mailserver-exporter {__version__}")
    parser.add_argument(
        "--web.listen-address",
        dest="listen",
        action="append",
        metavar="HOST:PORT",
        type=cli_options.address,
        help="where to listen, repeatable (default 127.0.0.1:9925)",
    )
    parser.add_argument(
        "--web.config.file",
        dest="web_config",
        metavar="FILE",
        type=Path,
        default=cli_options.environment("web.config.file"),
        help="TLS and users, in the format of Prometheus' exporters",
    )
    parser.set_defaults(command="serve")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in _COMMANDS:
        add(commands, common)
    return parser


def _add_common(parser: argparse.ArgumentParser, *, suppress: bool) -> None:
    def default(flag: str, fallback: object = None) -> object:
        return argparse.SUPPRESS if suppress else cli_options.environment(flag, fallback)

    found = cli_options.DEFAULT_CONFIG if cli_options.DEFAULT_CONFIG.exists() else None
    parser.add_argument(
        "--config.file",
        dest="config_file",
        metavar="FILE",
        type=Path,
        default=default("config.file", found),
        help=f"the configuration (default {cli_options.DEFAULT_CONFIG} where it exists; without a file everything is "
        "detected)",
    )
    parser.add_argument(
        "--path.rootfs",
        dest="rootfs",
        metavar="DIR",
        default=default("path.rootfs", "/"),
        help="where the root of the host is mounted (default /, in the container /host)",
    )
    parser.add_argument(
        "--log.level",
        dest="log_level",
        choices=logs.LEVELS,
        type=cli_options.one_of(logs.LEVELS),
        default=default("log.level", "info"),
        help="default info",
    )
    parser.add_argument(
        "--log.format",
        dest="log_format",
        choices=logs.FORMATS,
        type=cli_options.one_of(logs.FORMATS),
        default=default("log.format", "logfmt"),
        help="default logfmt",
    )


def _add_check(commands: _Commands, common: argparse.ArgumentParser) -> None:
    check = commands.add_parser(
        "check",
        parents=[common],
        help="measure once and say what is watched, what is not, and how to mend what fails",
        description="Measure once, without a server and without remembering anything, and say what is watched,\n"
        "what is not, what is switched off, and how to mend what fails; then ask Prometheus whether it scrapes us and\n"
        "has our rules, and Alertmanager whether it tells anybody. Exit status 1 if something needs attention.",
        epilog="Examples:\n"
        "  check                        everything; up to 90 seconds, mostly a few\n"
        "  check --send-test            do messages arrive? Send one through each channel of notifications, and say\n"
        "                               what Telegram, the mail server and the heartbeat's service answered and what\n"
        "                               to do about it; then a test alert through Alertmanager. Nothing is measured.\n"
        "  check --measure-only --json  for scripts on a host without Prometheus",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("--json", action="store_true", help="for scripts")
    part = check.add_mutually_exclusive_group()
    part.add_argument(
        "--send-test",
        action="store_true",
        help="instead of measuring: send a harmless test through each channel, and say what the other side answered",
    )
    part.add_argument("--measure-only", action="store_true", help="do not ask Prometheus and Alertmanager")
    _add_urls(check, prometheus=9090, alertmanager=9093)
    check.set_defaults(command="check")


def _add_probe(commands: _Commands, common: argparse.ArgumentParser) -> None:
    probe = commands.add_parser(
        "probe",
        parents=[common],
        help="probe one port and tell what happened step by step",
        description="Probe one port as the exporter does and tell each step with its time, and what clients would\n"
        "object to in its certificate. Exit status 0 when it is up and nobody would object, else 1.",
        epilog="Examples:\n"
        "  probe 993 --verbose               every line, the time of each phase, the certificate\n"
        "  probe '[::1]:25'                  the same server over IPv6\n"
        "  probe 587 --module smtp_starttls  STARTTLS must work, too\n"
        "  probe 8443 --text SOGo            the page must hold it\n"
        "  probe 10.0.0.5:465 --name mail.example.org",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    probe.add_argument("target", metavar="[HOST:]PORT", help="the host is 127.0.0.1 unless named")
    probe.add_argument("--module", help="what the port speaks, such as smtp_starttls (default: what it usually speaks)")
    probe.add_argument("--name", default="", help="the server's name: what it is asked for, and its certificate for")
    probe.add_argument("--path", default="/", help="of a web page (default /)")
    probe.add_argument("--text", default="", help="what the page must hold")
    probe.add_argument(
        "--timeout", type=cli_options.seconds, default=5.0, metavar="S", help="seconds to wait (default 5)"
    )
    probe.add_argument("--json", action="store_true", help="for scripts")
    probe.add_argument("--verbose", action="store_true", help="show every line that was said, and what is well, too")
    probe.set_defaults(command="probe")


def _add_render(commands: _Commands, common: argparse.ArgumentParser) -> None:
    render = commands.add_parser(
        "render",
        parents=[common],
        help="write Alertmanager's and Prometheus' files from the configuration",
        description="Write alertmanager.yml, templates/, prometheus.yml and rules/ below DIR, complete with the "
        "secrets that the configuration names. Exit status 2, and nothing written, when one of them cannot be read.",
    )
    render.add_argument("--output", required=True, metavar="DIR", type=Path, help="made if missing")
    render.add_argument(
        "--owner", default="", metavar="USER[:GROUP]", help="whose the files shall be, such as Alertmanager's user"
    )
    _add_urls(render, exporter=9925, prometheus=9090, alertmanager=9093)
    render.set_defaults(command="render")


def _add_alerts(commands: _Commands, common: argparse.ArgumentParser) -> None:
    alerts = commands.add_parser(
        "alerts",
        parents=[common],
        help="list the alerts of the last day",
        description="List the alerts that fired since a time, by the log of all that Alertmanager has told: when, how "
        "long, what. Times are the host's. Exit status 1 when there is no log yet, 2 when it cannot be read.",
    )
    alerts.add_argument(
        "--since",
        default="24h",
        metavar="WHEN",
        help="90m, 24h, 7d; or 14:05, 2026-11-22, '2026-11-22 14:05' (default 24h)",
    )
    alerts.add_argument(
        "--severity",
        action="append",
        choices=("critical", "warning", "info"),
        default=[],
        help="only those of this severity, repeatable",
    )
    alerts.add_argument("--json", action="store_true", help="for scripts")

    alerts.set_defaults(command="alerts")


def _add_report(commands: _Commands, common: argparse.ArgumentParser) -> None:
    report = commands.add_parser(
        "report",
        parents=[common],
        help="send a report of the last 24 hours now, or write it as files",
        description="Make a report from what Prometheus knows and send it to report.to, through the server of\n"
        "notifications.email. The exporter does this by itself every day at report.at; this is for now, for a look,\n"
        "and for cron. Exit status 0 when it was sent (or written, or not due), 1 when not, 2 on wrong use.",
        epilog="Examples:\n"
        "  report                                  the last 24 hours, by e-mail, now\n"
        "  report --output /tmp/report             nothing is sent: report.html, report.txt and its pictures\n"
        "  report --from 7d                        the last week\n"
        "  report --from 2026-11-20 --to 2026-11-21 --output /tmp/friday\n"
        "  report --if-due                         the daily one, unless it was sent: for cron or a systemd timer",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    when = "90m, 24h, 7d ago; or 14:05, 2026-11-22, '2026-11-22 14:05'"
    report.add_argument(
        "--from", dest="start", default="", metavar="WHEN", help=f"{when} (default 24 h before the end)"
    )
    report.add_argument("--to", dest="end", default="", metavar="WHEN", help="as --from (default now)")
    report.add_argument("--language", choices=("en", "de"), help="default report.language")
    report.add_argument("--output", metavar="DIR", type=Path, help="write it there and send nothing; made if missing")
    report.add_argument(
        "--if-due", action="store_true", help="the daily report, unless it was sent; never twice, whoever sends it"
    )
    report.add_argument(
        "--prometheus.url",
        dest="prometheus_url",
        metavar="URL",
        type=cli_options.url,
        help="default report.prometheus_url, else http://127.0.0.1:9090",
    )

    report.set_defaults(command="report")


def _add_forget(commands: _Commands, common: argparse.ArgumentParser) -> None:
    forget = commands.add_parser(
        "forget",
        parents=[common],
        help="let go of something that was removed on purpose",
        description="What was once seen is expected from then on. Name what was removed on purpose, as the status "
        "page and the alert name it, and it is not missed any more. Without NAME: list what is expected.",
    )
    forget.add_argument("name", nargs="?", metavar="NAME", help="for example a jail, a mountpoint, a collector")
    forget.add_argument("--kind", help="only where it is expected as this kind")
    forget.set_defaults(command="forget")


def _add_backup_mark(commands: _Commands, common: argparse.ArgumentParser) -> None:
    mark = commands.add_parser(
        "backup-mark",
        parents=[common],
        help="note that a backup was made, or failed",
        description="Note in the state directory that the backup NAME was made; the exporter tells it within a minute. "
        "For scripts, whether the exporter runs or not.",
    )
    mark.add_argument(
        "name", metavar="NAME", type=cli_options.backup_name, help="for example configs, as the metrics call it"
    )
    mark.add_argument("--size", type=cli_options.size, metavar="BYTES", help="how large it is")
    events = mark.add_mutually_exclusive_group()
    for event, text in (
        ("failed", "it could not be made"),
        ("copied", "a copy of it is now on another machine"),
        ("rehearsed", "it was restored to see whether that works"),
        ("forget", "it is made no more: let go of all that was noted"),
    ):
        events.add_argument(f"--{event}", dest="event", action="store_const", const=event, help=text)
    mark.set_defaults(command="backup-mark", event="succeeded")


def _add_reap_zombies(commands: _Commands, common: argparse.ArgumentParser) -> None:
    reap = commands.add_parser(
        "reap-zombies",
        parents=[common],
        help="ask the parents of zombies to collect them, and say who does not",
        description="Say which processes have ended and were not waited for by their parent. With --apply: ask the "
        "parents (SIGCHLD), wait, and say what is left and whose fault it is. For a timer. Exit status 0 when no "
        "zombie is left, 1 when some are, 2 on wrong use or where the processes cannot be seen.",
    )
    reap.add_argument("--apply", action="store_true", help="do it; without this nothing is touched")
    reap.add_argument(
        "--restart-container",
        action="store_true",
        help="restart the containers whose parents still do not, each at most once an hour, none that is listed in "
        "processes.protected_containers",
    )
    reap.add_argument("--wait", type=cli_options.seconds, default=5.0, metavar="S", help="seconds to wait (default 5)")
    reap.add_argument("--json", action="store_true", help="for scripts")
    reap.set_defaults(command="reap-zombies")


def _add_urls(command: argparse.ArgumentParser, **ports: int) -> None:
    for name, port in ports.items():
        command.add_argument(
            f"--{name}.url",
            dest=f"{name}_url",
            metavar="URL",
            type=cli_options.url,
            default=cli_options.environment(f"{name}.url", f"http://127.0.0.1:{port}"),
            help=f"default http://127.0.0.1:{port}",
        )


_COMMANDS = (
    _add_check,
    _add_probe,
    _add_render,
    _add_alerts,
    _add_report,
    _add_forget,
    _add_backup_mark,
    _add_reap_zombies,
)
