"""The stages that a message goes through, apart from stages.py, which needs the libraries of a mail program."""

from __future__ import annotations

STAGES = ("imap_connect", "imap_tls", "imap_auth", "smtp_connect", "smtp_tls", "smtp_auth", "submit", "delivery")
