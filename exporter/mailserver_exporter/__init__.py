"""Watch a self-hosted mail server and tell its admin when something is wrong, before the users do."""

__version__ = "0.1.0"
