"""Count what Postfix writes to its log (facts: the msg_info() and msg_warn() calls of Postfix 3.5 to 3.12).

The counters have the names of postfix_exporter (Hsn723); those that it lacks begin with ``mailserver_postfix_``. A line
is read from its beginning, one field after the other: nothing is looked for in what a stranger wrote. A daemon is known
by the last part of its name in the log, so ``postfix/submission/smtpd`` and ``postfix-out/smtp`` are counted, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mailserver_exporter.sources import postfix_delivery, postfix_postscreen, postfix_smtpd
from mailserver_exporter.sources.postfix_delivery import ADDRESS
from mailserver_exporter.sources.tally import Key, Tally

LEVELS = ("warning", "error", "fatal", "panic")
RECIPIENT_BUCKETS = {str(2**power): 2.0**power for power in range(8)}
SIZE_BUCKETS = {"1000": 1e3, "10000": 1e4, "100000": 1e5, "1e+06": 1e6, "1e+07": 1e7, "1e+08": 1e8, "1e+09": 1e9}

# Takes the message's first word and what follows it; says whether it knows such a line.
Handler = Callable[[bytes, bytes, Tally], bool]

_LEVELS: dict[bytes, Key] = {f"{level}:".encode(): ("mailserver_postfix_log_messages_total", level) for level in LEVELS}
_QUEUED = re.compile(rb"from=" + ADDRESS + rb", size=(\d{1,15}), nrcpt=(\d{1,9}) ")
_EXPIRED = re.compile(rb"from=" + ADDRESS + rb", status=(?:force-)?expired, returned to sender")


def read(lines: Sequence[bytes], tally: Tally) -> int:
    """Count lines such as ``postfix/smtpd[4711]: connect from ...``; return how many were understood."""
    understood = 0
    handler_of = _HANDLERS.get
    for line in lines:
        program, _, rest = line.partition(b"[")
        handler = handler_of(program[program.rfind(b"/") + 1 :])
        if handler is not None:
            first, _, rest = rest[rest.find(b"]: ") + 3 :].partition(b" ")
            if first in _LEVELS:
                tally[_LEVELS[first]] += 1
                handler(first, rest, tally)
                understood += 1
            elif handler(first, rest, tally):
                understood += 1
    return understood


def _cleanup(first: bytes, rest: bytes, tally: Tally) -> bool:
    if rest.startswith(b"message-id="):
        tally["postfix_cleanup_messages_processed_total",] += 1
    elif rest.startswith(b"reject: "):
        tally["postfix_cleanup_messages_rejected_total",] += 1
    elif rest.startswith(b"milter-reject: "):
        tally["mailserver_postfix_milter_rejects_total",] += 1
    elif rest.startswith(b"to=<"):
        return postfix_delivery.count("cleanup", rest, tally)
    else:
        return first == b"table" or rest.startswith(_CLEANUP_ACTIONS)
    return True


# access(5) and header_checks(5) log what they do by these words.
_CLEANUP_ACTIONS = (
    *(b"resent-message-id=", b"warning: ", b"info: ", b"hold: ", b"discard: ", b"redirect: ", b"replace: "),
    *(b"prepend: ", b"strip: ", b"filter: ", b"bcc: ", b"milter-", b"removed ("),
)


def _qmgr(first: bytes, rest: bytes, tally: Tally) -> bool:
    if rest == b"removed":
        tally["postfix_qmgr_messages_removed_total",] += 1
    elif queued := _QUEUED.match(rest):
        tally.histogram(("postfix_qmgr_messages_inserted_size_bytes",), SIZE_BUCKETS).add(int(queued[1]))
        tally.histogram(("postfix_qmgr_messages_inserted_recipients",), RECIPIENT_BUCKETS).add(int(queued[2]))
    elif _EXPIRED.match(rest):
        tally["postfix_qmgr_messages_expired_total",] += 1
    elif rest.startswith(b"to=<"):
        return postfix_delivery.count("qmgr", rest, tally)
    else:
        return first == b"table" or rest.startswith(b"skipped, ")
    return True


def _bounce(_first: bytes, rest: bytes, tally: Tally) -> bool:
    if rest.startswith(b"sender non-delivery notification: "):
        tally["postfix_bounce_non_delivery_notification_total",] += 1
        return True
    return rest.startswith((b"postmaster non-delivery", b"sender de", b"postmaster de", b"not sending", b"no trace"))


def _of(service: str) -> Handler:
    return lambda _first, rest, tally: postfix_delivery.count(service, rest, tally)


def _uncounted(_first: bytes, _rest: bytes, _tally: Tally) -> bool:
    return True


_HANDLERS: Mapping[bytes, Handler] = {
    b"smtpd": postfix_smtpd.count,
    b"cleanup": _cleanup,
    b"qmgr": _qmgr,
    b"oqmgr": _qmgr,
    b"bounce": _bounce,
    b"postscreen": postfix_postscreen.count,
    b"smtp": postfix_delivery.count_smtp,
    **{service.encode(): _of(service) for service in ("lmtp", "local", "virtual", "pipe", "error", "discard")},
    # Of these only warnings and worse matter.
    **dict.fromkeys(
        (
            b"anvil dnsblog flush master pickup postalias postdrop postfix postfix-script postkick postlog postlogd"
            b" postmap postqueue postsuper proxymap qmqpd scache sendmail showq spawn tlsmgr tlsproxy"
            b" trivial-rewrite verify"
        ).split(),
        _uncounted,
    ),
}
