"""Which mail stack runs here, and where its parts are."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailserver_exporter.mailstack import Stack
from mailserver_exporter.sources import postfix_conf, shellconf
from tests.support.contexts import context

# The head of a mailcow.conf as generate_config.sh writes it, shortened.
MAILCOW_CONF = """\
# ------------------------------
MAILCOW_HOSTNAME=mail.example.org
HTTPS_PORT=8443
HTTPS_BIND=
SMTP_PORT=25
SMTPS_PORT=192.0.2.7:465
IMAP_PORT=[::1]:1143
POP_PORT=none
POPS_PORT=99²
COMPOSE_PROJECT_NAME=mailcowdockerized
DBPASS='s3cr=t'
"""


def detect(rootfs: Path, yaml: str = "") -> Stack:
    return context(rootfs / "state", yaml, rootfs).mailstack.get()


def write(rootfs: Path, path: str, content: str) -> None:
    file = rootfs / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def test_a_bare_host_has_none(tmp_path: Path) -> None:
    assert detect(tmp_path).kind == "none"


def test_mailcow_is_found_with_its_ports_and_volumes(tmp_path: Path) -> None:
    write(tmp_path, "opt/mailcow-dockerized/mailcow.conf", MAILCOW_CONF)
    stack = detect(tmp_path)
    assert (stack.kind, stack.directory, stack.hostname) == ("mailcow", "/opt/mailcow-dockerized", "mail.example.org")
    assert stack.queue_directory == "/var/lib/docker/volumes/mailcowdockerized_postfix-vol-1/_data"
    assert stack.vmail_directory == "/var/lib/docker/volumes/mailcowdockerized_vmail-vol-1/_data"
    assert stack.ports == {
        "SMTP_PORT": 25,
        "SMTPS_PORT": 465,
        "SUBMISSION_PORT": 587,
        "IMAP_PORT": 1143,
        "IMAPS_PORT": 993,
        "POP_PORT": 110,
        "POPS_PORT": 995,
        "SIEVE_PORT": 4190,
        "HTTPS_PORT": 8443,
    }
    assert stack.hosts["SMTP_PORT"] == "127.0.0.1"
    assert stack.hosts["SMTPS_PORT"] == "192.0.2.7"
    assert stack.hosts["IMAP_PORT"] == "::1"


def test_mailcow_somewhere_else_is_named_in_the_configuration(tmp_path: Path) -> None:
    write(tmp_path, "srv/mail/mailcow.conf", "COMPOSE_PROJECT_NAME=post\n")
    stack = detect(tmp_path, "mail_stack: {directory: /srv/mail}")
    assert (stack.kind, stack.directory) == ("mailcow", "/srv/mail")
    assert stack.queue_directory == "/var/lib/docker/volumes/post_postfix-vol-1/_data"


def test_volumes_are_where_docker_keeps_its_data(tmp_path: Path) -> None:
    write(tmp_path, "opt/mailcow-dockerized/mailcow.conf", MAILCOW_CONF)
    write(tmp_path, "etc/docker/daemon.json", '{"data-root": "/srv/docker/"}')
    assert detect(tmp_path).queue_directory == "/srv/docker/volumes/mailcowdockerized_postfix-vol-1/_data"
    write(tmp_path, "etc/docker/daemon.json", '{"data-root": 5')
    assert detect(tmp_path).queue_directory.startswith("/var/lib/docker/volumes/")


@pytest.mark.parametrize("name", ["mail.$mydomain", "a..b", "-a.example", "a b", "x" * 64, "a." * 130])
def test_what_is_no_host_name_is_not_taken_for_one(tmp_path: Path, name: str) -> None:
    write(tmp_path, "etc/postfix/main.cf", f"myhostname = {name}\n")
    assert detect(tmp_path).hostname == ""


def test_an_unreadable_mailcow_conf_is_told_and_the_defaults_hold(tmp_path: Path) -> None:
    (tmp_path / "opt/mailcow-dockerized/mailcow.conf").mkdir(parents=True)
    stack = detect(tmp_path)
    assert stack.kind == "mailcow"
    assert "cannot read mailcow.conf" in stack.problem
    assert stack.ports["HTTPS_PORT"] == 443


def test_a_plain_postfix_is_found_with_its_own_queue_directory(tmp_path: Path) -> None:
    write(tmp_path, "etc/postfix/main.cf", "myhostname = mail.example.org\nqueue_directory = /srv/spool\n")
    stack = detect(tmp_path)
    assert (stack.kind, stack.hostname, stack.queue_directory) == ("native", "mail.example.org", "/srv/spool")


@pytest.mark.parametrize(
    ("value", "found"),
    [("/var/log/postfix.log", "/var/log/postfix.log"), ("/dev/stdout", ""), ("$a/postfix.log", ""), ("", "")],
)
def test_a_log_file_of_postfix_own_is_found(tmp_path: Path, value: str, found: str) -> None:
    write(tmp_path, "etc/postfix/main.cf", f"maillog_file = {value}\n")
    assert detect(tmp_path).mail_log == found


def test_without_one_of_its_own_the_usual_queue_directory_holds(tmp_path: Path) -> None:
    write(tmp_path, "etc/postfix/main.cf", "queue_directory = $somewhere\n")
    assert detect(tmp_path).queue_directory == "/var/spool/postfix"


@pytest.mark.parametrize(("kind", "found"), [("none", "none"), ("native", "native"), ("mailcow", "mailcow")])
def test_the_configuration_overrules_detection(tmp_path: Path, kind: str, found: str) -> None:
    write(tmp_path, "opt/mailcow-dockerized/mailcow.conf", MAILCOW_CONF)
    write(tmp_path, "etc/postfix/main.cf", "")
    assert detect(tmp_path, f"mail_stack: {{kind: {kind}}}").kind == found


def test_main_cf_continuation_comments_and_nonsense() -> None:
    data = b"# a = b\n  # c = d\n\nlist = one,\n    two\n# between\n\tthree\nnonsense\n lost\nname=1\nname = first\n"
    assert postfix_conf.parse(data) == {"list": "one, two three", "name": "first"}


def test_shell_assignments_are_read_and_nothing_is_expanded() -> None:
    data = b"A=1\nexport B='x y'\nC=\"$(reboot)\"\n# D=2\n E = 3\n=4\nF-G=5\nA=6\n\xff=7\nH='\n"
    assert shellconf.parse(data) == {"A": "6", "B": "x y", "C": "$(reboot)", "H": "'"}
