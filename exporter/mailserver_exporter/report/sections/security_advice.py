"""What to do about those who try to get in; see security.py."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from mailserver_exporter.report import commands
from mailserver_exporter.report.compared import listed, multiplied, usual
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action

if TYPE_CHECKING:
    from mailserver_exporter.report.sections.security import Facts

PASSWORDS = "mailserver_sshd_failed_passwords_total"
OTHER_FAILURES = "mailserver_sshd_failures_total"
LOGINS = "mailserver_sshd_logins_total"
GUESSED = "mailserver_sshd_logins_after_failures_total"
DOVECOT = "mailserver_dovecot_login_failures_total"
SASL = "postfix_smtpd_sasl_authentication_failures_total"
SOGO = "mailserver_sogo_login_failures_total"
MAILCOW_UI = "mailserver_mailcow_ui_login_failures_total"

# Failures of one network in a day that a jail should not have let it make.
_NETWORK_FROM = 1000
_UNPROTECTED_FROM = 500
_MULTIPLIED, _MULTIPLIED_FROM = 4, 300


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do: about who is in, about what keeps out, then about who should be kept out."""
    guessed = facts.counts.of(GUESSED).now or 0
    if guessed:
        yield Action(
            "critical",
            say(
                "Somebody logged in by SSH with a password after many wrong ones: see whether it was its owner; if "
                "not, the host is no longer yours."
            ),
            "last -n 20; journalctl -u ssh --since -24h | grep 'Accepted password'",
            "ssh-password-guessed",
        )
    protecting = yield from _advise_jails(facts, say)
    if protecting:
        yield from _advise_networks(facts, say)
    yield from _advise_ssh(facts, say)
    if multiplied(facts.mail, _MULTIPLIED, _MULTIPLIED_FROM):
        yield Action(
            "warning",
            say(
                "{number} logins to mailboxes were refused, usually {usual}: see whether one mailbox is tried, and "
                "whether its password is a good one.",
                number=say.number(facts.mail.now),
                usual=say.number(usual(facts.mail)),
            ),
            f"{commands.log(facts.stack, 'dovecot', 'auth failed')} | grep -o 'user=<[^>]*>' | {commands.RANKED}",
            "mailbox-logins-refused-multiplied",
        )


def _advise_jails(facts: Facts, say: Language) -> Generator[Action, None, bool]:
    """Yield what is wrong with fail2ban; return whether it does its work, so that more can be expected of it."""
    missing = [jail.name for jail in facts.jails if not jail.present]
    if facts.fail2ban_answers is False:
        yield Action(
            "warning",
            say("fail2ban does not answer, so nobody is banned: see why."),
            "systemctl status fail2ban; journalctl -u fail2ban -n 50",
            "fail2ban-down",
        )
        return False
    if missing:
        yield Action(
            "warning",
            say(
                "fail2ban has lost the jail {names}: what it protected is open to guessing.", names=listed(missing, say)
            ),
            "fail2ban-client status; fail2ban-client -t",
            "fail2ban-jail-missing",
        )
        return False
    if not facts.jails and not facts.counts.watches("mailserver_mailcow_netfilter_bans_total"):
        refused = (facts.ssh.now or 0) + (facts.mail.now or 0)
        if refused >= _UNPROTECTED_FROM:
            yield Action(
                "warning",
                say(
                    "{number} logins were refused and nothing bans who tries: install fail2ban.",
                    number=say.number(refused),
                ),
                "apt-get install fail2ban",
                "nothing-bans",
            )
        return False
    return True


def _advise_networks(facts: Facts, say: Language) -> Iterator[Action]:
    free = [
        each
        for each in (facts.networks.networks if facts.networks else ())
        # Whoever bans a network of this host's own shuts out its webmail, or himself.
        if each.banned == 0 and each.failures >= _NETWORK_FROM and not each.local
    ]
    if not free:
        return
    first = free[0]
    service = next(iter(first.services), "")
    yield Action(
        "warning",
        say(
            "{network} failed to log in {number} times and is not banned: the jail for it is missing, or does not see "
            "these logins.",
            network=listed([each.address or each.name for each in free], say, 3),
            number=say.number(first.failures),
        ),
        f"fail2ban-client status; fail2ban-client set {'sshd' if service == 'ssh' else 'JAIL'} banip "
        f"{first.address or first.name}",
        "network-not-banned",
    )


def _advise_ssh(facts: Facts, say: Language) -> Iterator[Action]:
    """Where nobody logs in by password, guessing can be made pointless."""
    passwords = facts.counts.of(PASSWORDS).now or 0
    by_password = facts.counts.of(LOGINS, method=("password", "keyboard-interactive"))
    by_key = facts.counts.of(LOGINS, method="publickey").now
    nobody = not any((by_password.now, by_password.day_before, by_password.week_before))
    if passwords >= _NETWORK_FROM and nobody and by_key:
        yield Action(
            "info",
            say(
                "{number} passwords were tried by SSH, and nobody logs in by password: switch passwords off.",
                number=say.number(passwords),
            ),
            "sshd -T | grep -iE 'passwordauthentication|kbdinteractive'",
            "ssh-passwords-not-needed",
        )
