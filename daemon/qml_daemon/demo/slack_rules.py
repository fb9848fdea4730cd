"""What Slack's incoming webhooks take and refuse, as far as documented, with Slack's words for it.

Source: Slack API reference, "Blocks", "Composition objects"; "Sending messages using incoming webhooks",
"Handling errors". The limit on a message's sum is undocumented (slackapi/bolt-js#2509).
"""

from typing import Any

MAX_SUM = 13_200
_TEXT_LIMITS = {"header": 150, "section": 3000, "context": 3000}


def find_refusal(payload: Any) -> str | None:
    """Return the word with which Slack refuses the payload (HTTP 400), or None where it takes it.

    >>> find_refusal({"text": "hello"}), find_refusal({})
    (None, 'no_text')
    """
    if not isinstance(payload, dict):
        return "invalid_payload"
    attachments = payload.get("attachments", [])
    blocks = [*payload.get("blocks", []), *(block for one in attachments for block in one.get("blocks", []))]
    if not payload.get("text") and not blocks:
        return "no_text"
    if len(blocks) > 50 or len(attachments) > 100:  # noqa: PLR2004 - as documented
        return "invalid_blocks"
    if not all(isinstance(block, dict) and _is_valid(block) for block in blocks):
        return "invalid_blocks"
    if sum(len(text) for block in blocks for text in _texts(block)) > MAX_SUM:
        return "msg_blocks_too_long"
    return None


def _is_valid(block: dict[str, Any]) -> bool:
    match block.get("type"):
        case "divider":
            return True
        case "header":
            return _is_text(block.get("text"), "plain_text", _TEXT_LIMITS["header"])
        case "section":
            fields = block.get("fields", [])
            if "text" not in block and not fields:
                return False
            text_ok = "text" not in block or _is_text(block["text"], "mrkdwn", _TEXT_LIMITS["section"])
            return text_ok and len(fields) <= 10 and all(_is_text(field, "mrkdwn", 2000) for field in fields)  # noqa: PLR2004 - as documented
        case "context":
            elements = block.get("elements", [])
            limit = _TEXT_LIMITS["context"]
            return 0 < len(elements) <= 10 and all(_is_text(one, "mrkdwn", limit) for one in elements)  # noqa: PLR2004 - as documented
    return False


def _is_text(text: Any, kind: str, limit: int) -> bool:
    return (
        isinstance(text, dict)
        and text.get("type") == kind
        and isinstance(text.get("text"), str)
        and 0 < len(text["text"]) <= limit
        and isinstance(text.get("verbatim", False), bool)
        and ("verbatim" not in text or kind == "mrkdwn")
    )


def _texts(block: dict[str, Any]) -> list[str]:
    parts = [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
    return [part["text"] for part in parts if isinstance(part, dict)]
