"""What to do about the mail of the day; see mail.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mailserver_exporter.report import commands
from mailserver_exporter.report.compared import multiplied, usual
from mailserver_exporter.report.language import Language
from mailserver_exporter.report.model import Action

if TYPE_CHECKING:
    from mailserver_exporter.report.sections.mail import Facts

DELIVERIES = "mailserver_postfix_deliveries_total"
BOUNCED = "postfix_smtp_bounced_messages_by_dsn_total"
# What goes to other servers; error(8) tells what smtp could not deliver (rules/mail_flow.rules.yml).
REMOTE = ("smtp", "error")

# What other servers refuse us for, rather than one message, and from how many on in a day it matters.
OUR_FAULT = ("reputation", "authentication")
REFUSALS_FROM = 5
_MANY_FROM = 200
_TIMES = 3
_USUAL_FROM = 20


def advise(facts: Facts, say: Language) -> Iterator[Action]:
    """Yield what to do about mail."""
    yield from _advise_senders(facts, say)
    yield from _advise_refused(facts, say)
    received, before = facts.received, usual(facts.received)
    if received.now == 0 and min(received.day_before or 0, received.week_before or 0) >= _USUAL_FROM:
        yield Action(
            "critical",
            say(
                "No mail came from other servers, the day before {number} messages: see whether port 25 can be "
                "reached from outside and whether the MX record is right.",
                number=say.number(received.day_before or before),
            ),
            "mailserver-exporter check",
            "no-mail-received",
        )
    state, service, ratio = facts.worst_ratio("deferred")
    if state:
        yield Action(
            state,
            say(
                "{ratio} of the attempts to deliver by {service} were put off: see what the answers have in common.",
                ratio=say.percent(ratio),
                service=service,
            ),
            f"{commands.log(facts.stack, 'postfix', 'status=deferred')} | tail -20",
            "deferred-above-limit",
        )


def _advise_senders(facts: Facts, say: Language) -> Iterator[Action]:
    """Who sends far more than usual is mostly a stolen account, or a web form of this host."""
    if multiplied(facts.sent, _TIMES, _MANY_FROM):
        yield Action(
            "warning",
            say(
                "{number} messages were sent, usually {usual}: see whether one account or program sends them, and "
                "whether it should.",
                number=say.number(facts.sent.now),
                usual=say.number(usual(facts.sent)),
            ),
            _by_login(facts.stack),
            "sent-multiplied",
        )


def _by_login(stack: str) -> str:
    """Return a command that ranks who sent: accounts by their login, programs of this host by their user's number."""
    who = "sasl_username=[^, ]*|pickup.*uid=[0-9]+"
    return f"{commands.log(stack, 'postfix', 'sasl_username=|pickup.*uid=')} | grep -oE '{who}' | {commands.RANKED}"


def _advise_refused(facts: Facts, say: Language) -> Iterator[Action]:
    """One action for each cause: what others refuse for our reputation also bounces."""
    reputation, proof = (facts.refused(name) for name in OUR_FAULT)
    servers = f"{commands.log(facts.stack, 'postfix', 'dsn=[45][.]7')} | grep -o 'relay=[^[]*' | {commands.RANKED}"
    if reputation >= REFUSALS_FROM:
        yield Action(
            "warning",
            say(
                "Other servers refused {number} deliveries for our reputation: see which provider it is, stop what "
                "looks like spam, then look at the provider's postmaster page and ask to be taken off its list.",
                number=say.number(reputation),
            ),
            servers,
            "refused-for-reputation",
        )
    if proof >= REFUSALS_FROM:
        yield Action(
            "warning",
            say(
                "Other servers refused {number} deliveries because they could not prove that the mail is ours: look at "
                "SPF, DKIM and DMARC of the senders' domains, and whether it was forwarded.",
                number=say.number(proof),
            ),
            servers,
            "refused-for-authentication",
        )
    state, service, ratio = facts.worst_ratio("bounced")
    bounced = facts.counts.of(DELIVERIES, service=REMOTE if service == "smtp" else (service,), status="bounced").now
    explained = sum(number for number in (reputation, proof) if number >= REFUSALS_FROM)
    if not state or (service == "smtp" and explained >= (bounced or 0) / 2):
        return
    unknown = sum(facts.counts.of(BOUNCED, dsn=code).now or 0 for code in ("5.1.1", "5.1.2", "5.1.10"))
    if service == "smtp" and unknown >= (bounced or 0) / 2:
        yield Action(
            state,
            say(
                "{ratio} of the deliveries by {service} bounced, mostly because the recipients do not exist: a stale "
                "list, or a stolen account that sends spam.",
                ratio=say.percent(ratio),
                service=service,
            ),
            _by_login(facts.stack),
            "bounces-unknown-recipients",
        )
    else:
        yield Action(
            state,
            say(
                "{ratio} of the deliveries by {service} bounced: see what the answers have in common.",
                ratio=say.percent(ratio),
                service=service,
            ),
            f"{commands.log(facts.stack, 'postfix', 'status=bounced')} | tail -20",
            "bounced-above-limit",
        )
