"""Import requests without its detection of character sets, which costs 2.8 MiB and nothing here uses.

requests works without (its compat.py): the docker package only reads JSON, which is UTF-8.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

_UNUSED = "charset_normalizer"


def load() -> None:
    """Import requests, unless somebody has done so already; call before docker is imported for the first time."""
    if "requests" in sys.modules:
        return
    modules: dict[str, Any] = sys.modules
    hide = _UNUSED not in modules
    if hide:
        # None makes an import fail as if the package were not installed (the import system, in Python's reference).
        modules[_UNUSED] = None
    try:
        with warnings.catch_warnings():
            # It warns that it cannot guess character sets, which is what we want.
            warnings.simplefilter("ignore")
            importlib.import_module("requests")
    finally:
        if hide:
            del modules[_UNUSED]
