"""The types that rules share."""

from typing import Annotated, Literal

from msgspec import Meta

RuleName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Severity = Literal["info", "warning", "critical"]
