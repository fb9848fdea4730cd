"""Block Kit: the pieces of a message, each within Slack's limits, every foreign text escaped.

Every markdown text is verbatim: Slack makes no link or mention of a bare URL, `#general` or `@here` in
it, only of what stands between < and >, and that is ours alone (a date, an address from the configuration).

Source: Slack API reference, "Blocks" and "Formatting text"; the limit on a message's sum is
undocumented (about 13,200 characters, slackapi/bolt-js#2509).
"""

import re
from collections.abc import Sequence
from typing import Any

from quantum_mlops.timestamps import format_time

Block = dict[str, Any]

MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_TEXT = 3000
MAX_FIELDS = 10
MAX_FIELD = 2000
MAX_ELEMENTS = 10
MAX_SUM = 12_000

_PART_OF_ENTITY = re.compile(r"&[a-z]{0,3}$")


def escape(text: str) -> str:
    """Return the text without Slack's explicit markup: no `<!channel>`, `<http://…>` or entity comes of a job's name.

    Bare URLs and names are left: a verbatim text object (all of this module's are) shows them as they are.

    >>> escape("<!channel> a & b")
    '&lt;!channel&gt; a &amp; b'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, limit: int) -> str:
    """Return escaped text of at most `limit` characters, cut with an ellipsis and never within an entity.

    >>> clip("a &amp; b", 6)
    'a …'
    """
    if len(text) <= limit:
        return text
    return _PART_OF_ENTITY.sub("", text[: limit - 1]) + "…"


def header(text: str) -> Block:
    """Return a headline; plain text, so nothing in it is interpreted."""
    return {"type": "header", "text": {"type": "plain_text", "text": _cut(text, MAX_HEADER), "emoji": True}}


def section(markdown: str) -> Block:
    """Return a paragraph of escaped markdown."""
    return {"type": "section", "text": _markdown(markdown, MAX_TEXT)}


def fields(markdowns: Sequence[str]) -> Block:
    """Return a table of two columns, at most ten cells."""
    cells = [_markdown(text, MAX_FIELD) for text in markdowns[:MAX_FIELDS]]
    return {"type": "section", "fields": cells}


def context(markdowns: Sequence[str]) -> Block:
    """Return a line of small print."""
    elements = [_markdown(text, MAX_TEXT) for text in markdowns[:MAX_ELEMENTS]]
    return {"type": "context", "elements": elements}


def divider() -> Block:
    """Return a line."""
    return {"type": "divider"}


def date(time_ns: int) -> str:
    """Return a time that Slack shows in the reader's zone, with UTC where it cannot."""
    utc = format_time(time_ns)[:19].replace("T", " ")
    return f"<!date^{time_ns // 1_000_000_000}^{{date_short_pretty}} {{time_secs}}|{utc} UTC>"


def link(url: str, text: str) -> str:
    """Return a link.

    >>> link("https://monitor.example.org/a", "what to do")
    '<https://monitor.example.org/a|what to do>'
    """
    return f"<{escape(url.replace('|', '%7C'))}|{escape(text)}>"


def size(block: Block) -> int:
    """Return the number of characters of text in a block."""
    found = 0
    stack: list[Any] = [block]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            found += len(item["text"]) if isinstance(item.get("text"), str) else 0
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
    return found


def _markdown(text: str, limit: int) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": clip(text, limit), "verbatim": True}


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
