"""Draw the picture of the README: ``make picture``, six minutes on a mail host where things go wrong now and then.

Everything on the host is real but the containers, which bear mailcow's names and do nothing in particular. Runs in a
PID namespace of its own, so that the picture shows none of the other programs of the machine that it is made on. Needs
Debian's packages chromium, fonts-inter and pngquant.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from tests.support.docker_engine import IMAGE
from tests.support.mailhost import PROJECT, MailHost
from tests.support.tools import ROOT
from tests.support.watchers import Watchers

sys.path.insert(0, str(ROOT / "grafana"))
import picture
from picture_data import Source, Span

# MiB of memory, and rounds of a counting loop a second.
SERVICES = {
    "clamd-mailcow": (48, 6_000),
    "mysql-mailcow": (36, 30_000),
    "sogo-mailcow": (24, 12_000),
    "rspamd-mailcow": (20, 24_000),
    "dovecot-mailcow": (11, 9_000),
    "postfix-mailcow": (7, 6_000),
    "nginx-mailcow": (5, 3_000),
    "unbound-mailcow": (4, 1_000),
    "redis-mailcow": (3, 4_000),
}
_WORK = (
    "dd if=/dev/zero of=/dev/shm/memory bs=1M count={memory} 2>/dev/null; while true; do i=0; "
    "n=$$(( {rounds} * (50 + $$(date +%s) / 7 % 5 * 20) / 100 )); "
    "while [ $$i -lt $$n ]; do i=$$((i+1)); done; sleep 1; done"
)
JAILS = ("sshd", "postfix", "dovecot")
SECONDS = 400


def compose_file() -> str:
    """Return a compose project with the names of mailcow's services."""
    services = {
        name: {
            "image": IMAGE,
            "command": ["sh", "-c", _WORK.format(memory=memory, rounds=rounds)],
            "restart": "unless-stopped",
        }
        for name, (memory, rounds) in SERVICES.items()
    }
    return yaml.safe_dump({"name": PROJECT, "services": services})


def events(host: MailHost) -> Iterator[tuple[float, Callable[[], object]]]:
    """Yield (second, what happens then)."""
    chance = random.Random(7)
    for second in range(5, SECONDS - 20, 12):
        yield second, lambda: host.postfix.submit(chance.randint(1, 2), size=chance.randint(500, 30_000))
    for second in (100, 200):
        yield second, host.postfix.delete
    yield 60, lambda: host.postfix.backdate(1500)
    yield 290, lambda: host.postfix.submit(9)
    for second in range(4, SECONDS, 6):
        jail = chance.choice((*JAILS, "sshd"))
        address = f"192.0.2.{chance.randint(1, 30)}"
        yield second, lambda jail=jail, address=address: host.fail2ban.fail(address, chance.randint(1, 2), jail)
    yield 130, host.nginx.stop
    yield 165, host.nginx.start
    for second in (220, 245):
        yield second, lambda: os.kill(_pid(host, "sogo-mailcow"), signal.SIGKILL)
    yield 325, lambda: host.container("clamd-mailcow").stop(timeout=0)


def _pid(host: MailHost, service: str) -> int:
    pid: int = host.container(service).attrs["State"]["Pid"]
    return pid


def play(output: Path) -> None:
    """Let it all happen and draw what Prometheus has seen."""
    with MailHost() as host, tempfile.TemporaryDirectory() as folder:
        for jail in JAILS[1:]:
            host.fail2ban.add_jail(jail)
        (host.project / "compose.yaml").write_text(compose_file())
        host.compose("up", "--detach", "--wait")
        settings = {**host.settings(), "filesystem": {"mountpoints": ["/"]}}
        with Watchers(Path(folder) / "watchers", settings) as watchers:
            started = time.monotonic()
            for second, happens in sorted(events(host), key=lambda event: event[0]):
                time.sleep(max(0.0, started + second - time.monotonic()))
                happens()
            time.sleep(max(0.0, started + SECONDS - time.monotonic()))
            end = int(time.time())
            dashboard = json.loads(picture.DASHBOARD.read_text(encoding="utf-8"))
            page = picture.page(dashboard, Source(watchers.prometheus_url), Span(end - 360, end))
    picture.photograph(*page, output)
    subprocess.run(["pngquant", "--force", "--speed=1", f"--output={output}", output], check=True)
    print(f"written: {output} ({output.stat().st_size // 1000} kB)")


def main() -> int:
    """Begin again in a PID namespace of our own, and play."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=picture.PICTURE, metavar="FILE")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        play(options.output)
        return 0
    namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    again = [sys.executable, "-m", "tests.support.scene", "--inside", f"--output={options.output.resolve()}"]
    return subprocess.run([*namespace, *again], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
