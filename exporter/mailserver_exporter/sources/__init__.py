"""Readers of one thing each: bytes in, plain dataclasses out, nothing known of metrics."""


class SourceError(Exception):
    """What a source could not read, in words for the admin.

    ``remedy`` says what to do about it (a command where there is one); ``check`` and the status page show it.
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy
