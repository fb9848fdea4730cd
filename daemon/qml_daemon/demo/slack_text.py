"""A Slack message in a terminal, as near to Slack's own look as text comes."""

import html
import re
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")
_MARKUP = re.compile(r"\*([^*\n]+)\*|`([^`\n]+)`")


def render_message(message: dict[str, Any]) -> RenderableType:
    """Return a panel in the message's colour."""
    attachment = message["attachments"][0]
    return Panel(Group(*_render(attachment["blocks"])), border_style=attachment["color"], padding=(0, 1))


def read_markdown(text: str) -> Text:
    """Return Slack's markdown as styled text; dates as their fallback, entities as their characters."""
    text = _DATE.sub(r"\1", text)
    styled, end = Text(), 0
    for found in _MARKUP.finditer(text):
        styled.append(html.unescape(text[end : found.start()]))
        styled.append(html.unescape(found[1] or found[2]), "bold" if found[1] else "cyan")
        end = found.end()
    styled.append(html.unescape(text[end:]))
    return styled


def _render(blocks: list[dict[str, Any]]) -> Iterator[RenderableType]:
    for block in blocks:
        match block["type"]:
            case "header":
                yield Text(block["text"]["text"], "bold")
            case "section" if "text" in block:
                yield Text()
                yield read_markdown(block["text"]["text"])
            case "section":
                yield Text()
                yield _fields(block["fields"])
            case "context":
                yield Text()
                for element in block["elements"]:
                    line = read_markdown(element["text"])
                    line.stylize("dim")
                    yield line
            case _:
                yield Text("─" * 40, "dim")


def _fields(fields: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 3))
    for start in range(0, len(fields), 2):
        table.add_row(*(read_markdown(field["text"]) for field in fields[start : start + 2]))
    return table
