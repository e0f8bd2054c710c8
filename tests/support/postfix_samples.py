"""Lines of Postfix' log that postfix_scene.py cannot bring about quickly, and what each is counted as.

Where no server is named, the wording is that of the msg_info() or msg_warn() call in the source that is named.
"""

from __future__ import annotations

from mailserver_exporter.sources.tally import Key

TLS13 = b"TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
_TLS13 = ("TLSv1.3", "TLS_AES_256_GCM_SHA384", "256", "256")
_SMTPD_TLS, _SMTP_TLS = "postfix_smtpd_tls_connections_total", "postfix_smtp_tls_connections_total"
_LOST = "postfix_smtpd_connections_lost_total"
_WARNING: Key = ("mailserver_postfix_log_messages_total", "warning")
_LISTED = "postfix_postscreen_access_list_matches_total"
_DELIVERIES = "mailserver_postfix_deliveries_total"
_PROCESSED = "postfix_smtp_messages_processed_total"
_FAILED_LOGIN: Key = ("postfix_smtpd_sasl_authentication_failures_total",)

COUNTED: dict[bytes, set[Key]] = {
    # src/smtpd/smtpd.c
    b"postfix/smtpd[1]: 4F1A22E: client=a.example[192.0.2.1], sasl_method=PLAIN, sasl_username=a@b.example": {
        ("postfix_smtpd_messages_processed_total", "PLAIN")
    },
    b"postfix/submission/smtpd[1]: 4Xyz1Y2abcz9t: client=a[2001:db8::1], sasl_method=xoauth2, sasl_username=a": {
        ("postfix_smtpd_messages_processed_total", "XOAUTH2")
    },
    b"postfix/smtpd[1]: 4F1A22E: client=a[192.0.2.1], sasl_method=NEW-WAY, sasl_username=a": {
        ("postfix_smtpd_messages_processed_total", "other")
    },
    b"postfix/smtpd[1]: 4F1A22E: milter-reject: END-OF-MESSAGE from a[192.0.2.1]: 5.7.1 Spam; from=<a@b> to=<c@d>": {
        ("mailserver_postfix_milter_rejects_total",)
    },
    b"postfix/smtpd[1]: NOQUEUE: lost connection after RCPT from a[192.0.2.1]": {(_LOST, "RCPT")},  # 3.10
    b"postfix/smtpd[1]: 4F1A22E: lost connection after DATA (17 bytes) from a[192.0.2.1]": {(_LOST, "DATA")},  # 3.10
    b"postfix/smtpd[1]: lost connection after END-OF-MESSAGE from a[192.0.2.1]": {(_LOST, "END-OF-MESSAGE")},
    b"postfix/smtpd[1]: lost connection after SOMETHING from a[192.0.2.1]": {(_LOST, "other")},
    # src/smtpd/smtpd_peer.c
    b"postfix/smtpd[1]: warning: hostname a.example does not resolve to address 192.0.2.1: Name not known": {
        ("postfix_smtpd_forward_confirmed_reverse_dns_errors_total",),
        _WARNING,
    },
    # src/smtpd/smtpd_sasl_glue.c, with the user's name since Postfix 3.8
    b"postfix/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: (reason unavailable)"
    b", sasl_username=root": {_FAILED_LOGIN, _WARNING},
    b"postfix/smtps/smtpd[1]: warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6": {
        _FAILED_LOGIN,
        _WARNING,
    },
    # src/tls/tls_misc.c; the second with SNI, Postfix 3.9
    b"postfix/smtpd[1]: Trusted TLS connection established from a[2001:db8::1]: " + TLS13: {
        (_SMTPD_TLS, "Trusted", *_TLS13)
    },
    b"postfix/smtpd[1]: Anonymous TLS connection established from a[192.0.2.1] to mail.example.org: " + TLS13: {
        (_SMTPD_TLS, "Anonymous", *_TLS13)
    },
    b"postfix/smtp[1]: Verified TLS connection established to a[192.0.2.1]:25: " + TLS13 + b" key-exchange X25519": {
        (_SMTP_TLS, "Verified", *_TLS13)
    },
    # src/cleanup
    b"postfix/cleanup[1]: 4F1A22E: milter-reject: END-OF-MESSAGE from a[192.0.2.1]: 5.7.1 Spam; from=<a@b>": {
        ("mailserver_postfix_milter_rejects_total",)
    },
    # src/qmgr/qmgr_active.c
    b"postfix/qmgr[1]: 4F1A22E: from=<>, status=expired, returned to sender": {
        ("postfix_qmgr_messages_expired_total",)
    },
    b"postfix/qmgr[1]: 4F1A22E: from=<a@b.example>, status=force-expired, returned to sender": {
        ("postfix_qmgr_messages_expired_total",)
    },
    # src/smtp/smtp_connect.c
    b"postfix/smtp[1]: connect to a.example[192.0.2.1]:25: Connection timed out": {
        ("postfix_smtp_connection_timed_out_total",)
    },
    # src/global/bounce.c with soft_bounce
    b"postfix-out/smtp[1]: 4F1A22E: to=<a@b.example>, relay=none, delay=1, delays=1/0/0/0, dsn=5.4.4, status=SOFTBOUNCE"
    b" (Host not found)": {(_DELIVERIES, "smtp", "SOFTBOUNCE"), (_PROCESSED, "SOFTBOUNCE")},
    # src/error/error.c, where the queue manager gave up a destination for a while
    b"postfix/error[1]: 4F1A22E: to=<a@b.example>, relay=none, delay=9, delays=9/0/0/0, dsn=4.4.1, status=deferred"
    b" (delivery temporarily suspended)": {(_DELIVERIES, "error", "deferred")},
    b"postfix/local[1]: 4F1A22E: to=<root@b.example>, orig_to=<root>, relay=local, delay=0, delays=0/0/0/0, dsn=2.0.0"
    b", status=sent (delivered to mailbox)": {(_DELIVERIES, "local", "sent")},
    b"postfix/cleanup[1]: 4F1A22E: to=<a@b.example>, relay=none, delay=0.1, delays=0.1/0/0/0, dsn=5.4.6, status=bounced"
    b" (mail forwarding loop)": {(_DELIVERIES, "cleanup", "bounced")},
    # src/smtp/smtp_proto.c
    b"postfix/smtp[1]: 4F1A22E: to=<a@b.example>, relay=c[192.0.2.1]:25, conn_use=2, delay=1, delays=1/0/0/0, dsn=4.0.0"
    b", status=deferred (host c[192.0.2.1] refused to talk to me: 554 your IP address is on a blacklist)": {
        (_DELIVERIES, "smtp", "deferred"),
        (_PROCESSED, "deferred"),
        ("postfix_smtp_deferred_messages_by_dsn_total", "4.0.0"),
        ("mailserver_postfix_remote_rejections_total", "reputation"),
    },
    # src/postscreen; the second of each pair before Postfix 3.6 or with respectful_logging = no
    b"postfix/postscreen[1]: PASS OLD [192.0.2.1]:25": {("postfix_postscreen_passes_total", "old")},
    b"postfix/postscreen[1]: ALLOWLISTED [192.0.2.1]:25": {(_LISTED, "allow")},
    b"postfix/postscreen[1]: WHITELISTED [192.0.2.1]:25": {(_LISTED, "allow")},
    b"postfix/postscreen[1]: BLACKLISTED [192.0.2.1]:25": {(_LISTED, "deny")},
    b"postfix/postscreen[1]: HANGUP after 0.1 from [192.0.2.1]:25 in tests after SMTP handshake": {
        ("postfix_postscreen_hangups_total",)
    },
    b"postfix/postscreen[1]: NON-SMTP COMMAND from [192.0.2.1]:25 after CONNECT: GET / HTTP/1.1": {
        ("postfix_postscreen_tests_failed_total", "NON_SMTP_COMMAND")
    },
    b"postfix/postscreen[1]: COMMAND COUNT LIMIT from [192.0.2.1]:25 after NOOP": {
        ("postfix_postscreen_tests_failed_total", "COMMAND_COUNT_LIMIT")
    },
    b"postfix/postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.1]:25: 550 5.7.1 Service unavailable; from=<a@b>": {
        ("postfix_postscreen_messages_rejected_total", "550")
    },
    b"postfix/postscreen[1]: NOQUEUE: reject: CONNECT from [192.0.2.1]:25: too many connections": {
        ("postfix_postscreen_connects_rejected_total", "too many connections")
    },
    b"postfix/postscreen[1]: reject: connect from [192.0.2.1]:25: all screening ports busy": {
        ("postfix_postscreen_connects_rejected_total", "all screening ports busy")
    },
    # src/master/master_spawn.c
    b"postfix/master[1]: fatal: open lock file pid/master.pid: unable to set exclusive lock": {
        ("mailserver_postfix_log_messages_total", "fatal")
    },
    b"postfix/trivial-rewrite[1]: warning: do not list domain a in BOTH mydestination and virtual_alias_domains": {
        _WARNING
    },
}

# Understood, and of no interest.
UNCOUNTED = (
    b"postfix/anvil[1]: statistics: max connection rate 1/60s for (smtp:192.0.2.1) at Nov 22 03:00:00",
    b"postfix/pickup[1]: 4F1A22E: uid=0 from=<root>",
    b"postfix/smtpd[1]: timeout after DATA from a[192.0.2.1]",
    b"postfix/smtpd[1]: too many errors after RCPT from a[192.0.2.1]",
    b"postfix/smtpd[1]: 4F1A22E: reject: DATA from a[192.0.2.1]: 550 5.7.1 no; from=<a@b> to=<c@d> proto=ESMTP",
    b"postfix/smtp[1]: Untrusted TLS connection reused to a[192.0.2.1]:25: " + TLS13,
    b"postfix/smtp[1]: 4F1A22E: host a[192.0.2.1] said: 450 4.2.0 later (in reply to RCPT TO command)",
    b"postfix/qmgr[1]: 4F1A22E: skipped, still being delivered",
    b"postfix/bounce[1]: 4F1A22E: sender delay notification: 4F1A22F",
    b"postfix/postscreen[1]: DISCONNECT [192.0.2.1]:25",
    b"postfix/dnsblog[1]: addr 192.0.2.1 listed by domain zen.spamhaus.org as 127.0.0.4",
)
