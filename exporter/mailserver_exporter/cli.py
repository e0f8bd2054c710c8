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

from mailserver_exporter import cli_options, cli_parser, logs
from mailserver_exporter.config import ConfigError, load
from mailserver_exporter.finding import Finding
from mailserver_exporter.host import Host

EXIT_GOOD, EXIT_FINDING, EXIT_WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = cli_parser.parser().parse_args(arguments)
    logs.set_up(options.log_level, options.log_format)
    try:
        status = _COMMANDS[options.command](options)
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


_COMMANDS = {
    "serve": _serve,
    "check": _check,
    "render": _render,
    "alerts": _alerts,
    "report": _report,
    "forget": _forget,
    "reap-zombies": _reap_zombies,
    "backup-mark": _backup_mark,
    "probe": _probe,
}
