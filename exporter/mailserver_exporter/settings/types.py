"""What a setting may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from mailserver_exporter.schema import Number, Seconds, Text

Port = Annotated[int, Number(1, 65535, whole=True)]
Ratio = Annotated[float, Number(0, 1)]
Count = Annotated[int, Number(0, whole=True)]
Amount = Annotated[float, Number(0)]
Duration = Annotated[float, Seconds()]
HostName = Annotated[str, Text(r"[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?", "a host name or an IP address")]
Url = Annotated[str, Text(r"https?://[^\s]+", "a URL that begins with http:// or https://")]
Mode = Annotated[str, Text(r"[0-7]{3,4}", "an octal mode in quotes such as '0700'")]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Settings that every collector has: ``enabled`` overrules detection."""

    enabled: bool | None = None
