"""Slack's refusals, as the demo's receiver speaks them."""

import pytest

from qml_daemon.demo.slack_rules import find_refusal


def text(length: int, kind: str = "mrkdwn") -> dict[str, str]:
    return {"type": kind, "text": "x" * length}


@pytest.mark.parametrize(
    ("payload", "word"),
    [
        ({"text": "hello"}, None),
        ([], "invalid_payload"),
        ({}, "no_text"),
        ({"blocks": [{"type": "header", "text": text(150, "plain_text")}]}, None),
        ({"blocks": [{"type": "header", "text": text(151, "plain_text")}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": text(5)}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": text(3000)}]}, None),
        ({"blocks": [{"type": "section", "text": text(3001)}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": text(0)}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {**text(5), "verbatim": True}}]}, None),
        ({"blocks": [{"type": "section", "text": {**text(5), "verbatim": "yes"}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "header", "text": {**text(5, "plain_text"), "verbatim": True}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "fields": [text(5)] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": [text(5)] * 11}]}, "invalid_blocks"),
        ({"blocks": [{"type": "context", "elements": []}]}, "invalid_blocks"),
        ({"blocks": [{"type": "marquee"}]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 50}, None),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"attachments": [{"blocks": [{"type": "section", "text": text(3000)}] * 5}]}, "msg_blocks_too_long"),
    ],
)
def test_slack_says(payload, word) -> None:
    assert find_refusal(payload) == word
