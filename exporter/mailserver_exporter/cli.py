"""The command line; one function per command, no logic."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailserver_exporter import __version__, cli_options, logs
from mailserver_exporter.config import ConfigError, load
from mailserver_exporter.finding import Finding
from mailserver_exporter.host import Host

EXIT_GOOD, EXIT_FINDING, EXIT_WRONG_USE = 0, 1, 2

_DESCRIPTION = """\
Watch a self-hosted mail server. Without a command: measure and serve metrics for Prometheus until ended.
SIGHUP or a POST to /-/reload reads the configuration again; a bad one is refused and the running one kept."""

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_EPILOG = """\
Every flag with a dot is also an environment variable: --web.listen-address is MAILSERVER_EXPORTER_WEB_LISTEN_ADDRESS.

exit status: 0 good, 1 a finding (for example a check that failed), 2 wrong use or configuration"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    logs.set_up(options.log_level, options.log_format)
    try:
        status: int = options.run(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_GOOD
    return status


def _parser() -> argparse.ArgumentParser:
    # Flags are accepted before and after the command; SUPPRESS keeps a subcommand's silence from undoing the former.
    common = argparse.ArgumentParser(add_help=False)
    cli_options.add_common(common, suppress=True)
    parser = argparse.ArgumentParser(
        prog="mailserver-exporter",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cli_options.add_common(parser, suppress=False)
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
    parser.set_defaults(run=_serve)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

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
    check.set_defaults(run=_check)

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
    probe.set_defaults(run=_probe)

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
    render.set_defaults(run=_render)

    alerts = commands.add_parser(
        "alerts",
        parents=[common],
        help="list the alerts of the last day",
        description="List the alerts that fired since a time, by the log of all that Alertmanager has told: when, how "
        "long, what. Times are the host's. Exit status 1 when there is no log yet, 2 when it cannot be read.",
    )
    cli_options.add_alerts(alerts)
    alerts.set_defaults(run=_alerts)

    _add_report(commands, common)
    _add_forget(commands, common)

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
    mark.set_defaults(run=_backup_mark, event="succeeded")

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
    reap.set_defaults(run=_reap_zombies)
    return parser


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
    cli_options.add_report(report)
    report.set_defaults(run=_report)


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
    forget.set_defaults(run=_forget)


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


def _host(options: argparse.Namespace) -> Host:
    return Host(options.rootfs)


def _serve(options: argparse.Namespace) -> int:
    from mailserver_exporter import web, web_config
    from mailserver_exporter.app import App

    listen = options.listen
    if not listen:
        given = str(cli_options.environment("web.listen-address", "127.0.0.1:9925"))
        try:
            listen = [cli_options.address(address) for address in given.replace(",", " ").split() or [""]]
        except argparse.ArgumentTypeError as error:
            print(f"MAILSERVER_EXPORTER_WEB_LISTEN_ADDRESS: {error}", file=sys.stderr)
            return EXIT_WRONG_USE
    app = App(options.config_file, _host(options))
    stop, reload = threading.Event(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: reload.set())
    try:
        servers = web.serve(listen, app, web_config.load(options.web_config))
    except OSError as error:
        print(f"cannot listen: {error}", file=sys.stderr)
        return EXIT_WRONG_USE
    web.log.info(
        "listening on %s",
        ", ".join(f"http://{server.server_name}:{server.server_port}/" for server in servers),
    )
    app.start()
    while not stop.wait(0.5):
        if reload.is_set():
            reload.clear()
            try:
                app.reload()
            except ConfigError:
                continue  # logged where it happened; the running configuration is kept
    for server in servers:
        server.shutdown()
        server.server_close()
    app.close()
    return EXIT_GOOD


def _check(options: argparse.Namespace) -> int:
    from mailserver_exporter import check, check_monitoring

    # What a collector says goes into the answer; the log would only say it twice.
    logging.getLogger("mailserver_exporter").setLevel("ERROR")
    config = load(options.config_file)
    progress = (lambda text: print(text, file=sys.stderr)) if sys.stderr.isatty() else (lambda _: None)
    if options.send_test:
        from mailserver_exporter import check_channels

        instance = config.hostname or _host(options).hostname()
        findings = list(check_channels.send(config.notifications, options.alertmanager_url, instance, progress))
    else:
        from mailserver_exporter.app import build

        setup = build(config, _host(options), config_file=options.config_file, remember=False)
        findings = check.check(setup, progress)
        setup.collection.close()
    if not options.measure_only:
        findings += check_monitoring.prometheus(options.prometheus_url)
        findings += check_monitoring.alertmanager(options.alertmanager_url, config.notifications)
    headings = check.SENT if options.send_test else check.WATCHED
    print(check.as_json(findings) if options.json else check.as_text(findings, headings))
    return EXIT_FINDING if any(finding.state == "bad" for finding in findings) else EXIT_GOOD


def _render(options: argparse.Namespace) -> int:
    from mailserver_exporter import render

    config = load(options.config_file)
    instance = config.hostname or _host(options).hostname()
    urls = render.Urls(options.exporter_url, options.prometheus_url, options.alertmanager_url)
    secrets = render.read_secrets(config.notifications, str(options.config_file))
    try:
        written = render.write(options.output, config, instance, urls, secrets, owner=options.owner)
    except (OSError, LookupError) as error:
        print(f"cannot write below {options.output}: {error}", file=sys.stderr)
        return EXIT_WRONG_USE
    print("\n".join(map(str, written)))
    return EXIT_GOOD


def _alerts(options: argparse.Namespace) -> int:
    from mailserver_exporter import alert_history, alert_listing
    from mailserver_exporter.host_zone import host_zone

    config = load(options.config_file)
    now = datetime.now(host_zone(_host(options)))
    try:
        start = alert_listing.since(options.since, now)
        history = alert_history.read(config.alert_log_file, config.alert_log, start, now)
    except (ValueError, OSError) as error:
        print(alert_listing.problem(error, config.alert_log_file), file=sys.stderr)
        return EXIT_WRONG_USE
    for remark in alert_listing.remarks(history, config.alert_log_file):
        print(remark, file=sys.stderr)
    if not history.files:
        return EXIT_FINDING
    chosen = [each for each in history.episodes if not options.severity or each.severity in options.severity]
    if options.json:
        print(alert_listing.as_json(chosen, now))
    else:
        width = shutil.get_terminal_size((80, 24)).columns
        print(alert_listing.as_text(chosen, start, now, width, options.severity))
    return EXIT_GOOD


def _report(options: argparse.Namespace) -> int:
    from mailserver_exporter.report import command
    from mailserver_exporter.sources import SourceError

    config, host = load(options.config_file), _host(options)
    tell = (lambda text: print(text, file=sys.stderr)) if sys.stderr.isatty() else (lambda _: None)
    wish = command.Wish(options.start, options.end, options.language, options.prometheus_url)
    if options.if_due and (options.output or wish != command.Wish(prometheus_url=wish.prometheus_url)):
        print("--if-due is for the daily report as it is configured, without other options", file=sys.stderr)
        return EXIT_WRONG_USE
    try:
        if options.if_due:
            result = command.send_if_due(config, host, tell)
        else:
            order = wish.order(config, host, command.now_of(config, host))
            result = command.write(order, options.output, tell) if options.output else command.send(order, tell)
    except ValueError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USE
    except (SourceError, OSError) as error:
        remedy = getattr(error, "remedy", "")
        print(f"no report: {error}" + (f" ({remedy})" if remedy else ""), file=sys.stderr)
        return EXIT_WRONG_USE
    if result.said:
        print("\n".join(result.said))
    if result.wrong:
        print("\n".join(result.wrong), file=sys.stderr)
    return EXIT_GOOD if result.good else EXIT_FINDING


def _forget(options: argparse.Namespace) -> int:
    from mailserver_exporter.expectations import Expectations

    expectations = Expectations(load(options.config_file).state_directory)
    if options.name is None:
        for kind, names in expectations.everything().items():
            print(f"{kind}: {', '.join(names)}")
        return EXIT_GOOD
    try:
        kinds = expectations.forget(options.name, options.kind)
    except OSError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USE
    if not kinds:
        print(f"{options.name!r} is not expected; `mailserver-exporter forget` lists what is", file=sys.stderr)
        return EXIT_FINDING
    print(f"forgotten: {options.name} ({', '.join(kinds)})")
    return EXIT_GOOD


def _reap_zombies(options: argparse.Namespace) -> int:
    from mailserver_exporter import reap_zombies
    from mailserver_exporter.sources import SourceError

    reaper = reap_zombies.Reaper(
        load(options.config_file),
        _host(options),
        apply=options.apply,
        restart=options.restart_container,
        wait=options.wait,
    )
    try:
        cases = reaper.run()
    except (SourceError, OSError) as error:
        remedy = getattr(error, "remedy", "")
        print(f"cannot look for zombies: {error}" + (f" ({remedy})" if remedy else ""), file=sys.stderr)
        return EXIT_WRONG_USE
    print(reap_zombies.as_json(cases, applied=options.apply) if options.json else reap_zombies.as_text(cases))
    return EXIT_FINDING if any(case.left for case in cases) else EXIT_GOOD


def _backup_mark(options: argparse.Namespace) -> int:
    from mailserver_exporter import backup_mark

    if options.size is not None and options.event != "succeeded":
        print("--size is for a backup that was made", file=sys.stderr)
        return EXIT_WRONG_USE
    try:
        known = backup_mark.note(load(options.config_file).state_directory, options.name, options.event, options.size)
    except OSError as error:
        print(f"cannot note it: {error}", file=sys.stderr)
        return EXIT_WRONG_USE
    return EXIT_GOOD if known else EXIT_FINDING


def _probe(options: argparse.Namespace) -> int:
    from mailserver_exporter import probe_story

    try:
        target = probe_story.target(
            options.target, options.module, name=options.name, path=options.path, text=options.text
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_USE
    result = probe_story.probe(target, options.timeout)
    findings: list[Finding] = []
    if result.handshake is not None:
        # Only here, because it costs 16 MiB.
        from mailserver_exporter import probe_certificate

        findings = probe_certificate.judge(target, load(options.config_file), _host(options), legacy=options.verbose)
    if options.json:
        print(probe_story.as_json(result, findings))
    else:
        print(probe_story.as_text(result, findings, verbose=options.verbose))
    good = result.up and not any(finding.state == "bad" for finding in findings)
    return EXIT_GOOD if good else EXIT_FINDING
