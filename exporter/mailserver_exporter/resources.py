"""Find the files that are shipped beside the code: rules, templates, Prometheus' configuration."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def shipped(name: str) -> Path:
    """Return where ``name``, such as ``rules``, is: in the installed package, or in the checkout that we run from.

    Raises FileNotFoundError when the installation is incomplete.
    """
    for root in (_PACKAGE / "shipped", _PACKAGE.parents[1]):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is missing from this installation of mailserver-exporter")
