"""The Slack message: golden files, Slack's limits, and foreign texts that must stay text."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qml_daemon.alert import Alert
from qml_daemon.demo.slack_rules import find_refusal
from qml_daemon.notification import Notification, merge
from qml_daemon.notifiers.slack.blocks import clip, escape
from qml_daemon.notifiers.slack.message import build_message
from qml_daemon.notifiers.trial import trial_notification

GOLDEN = Path(__file__).parents[3] / "golden" / "slack"
MINUTE = 60_000_000_000
FOREIGN = "`</code>` & <@U123>, see https://evil.example/login or #general, @here"


def cases(make_alert, make_notification) -> dict[str, list[Notification]]:
    firing = make_alert()
    resolved = make_alert(
        status="resolved",
        ends=firing.starts + 3 * MINUTE,
        open=[],
        reason="recovered",
        annotations={"summary": "ibm_hanoi qubits 0-1-2-3: outcomes are back within 0.05 of the reference (now 0.011)"},
        values={"hellinger": 0.0112, "hellinger_low": 0.0, "hellinger_high": 0.0213, "minimum_effect": 0.05},
    )
    threshold = make_alert(
        1,
        rule="LowAccuracy/below",
        severity="warning",
        labels={"project": "iris", "run": "r1", "metric": "val_accuracy", "rule": "LowAccuracy/below"},
        annotations={"summary": "val_accuracy is 0.5, below 0.8 (run r1)"},
        values={"value": 0.5, "bound": 0.8},
        details={},
        late=True,
    )
    hostile = make_alert(
        annotations={"summary": "<!channel> job <http://evil|ok> & *bold*", "description": FOREIGN},
        labels={"backend": "<!here>", "rule": "CircuitDrift"},
        values={},
        details={"rows<>": [{"name": "<!everyone>", "k&": "<v>"}]},
    )
    return {
        "firing": [make_notification(firing)],
        "resolved": [make_notification(resolved)],
        "mixed": [make_notification(firing, threshold, resolved)],
        "digest": [make_notification(threshold, group="a"), make_notification(resolved, group="b")],
        "hostile": [make_notification(hostile)],
        "many": [make_notification(*(make_alert(n) for n in range(50)), firing=214)],
    }


@pytest.mark.parametrize("name", ["firing", "resolved", "mixed", "digest", "hostile", "many"])
def test_a_message_is_exactly_the_golden_one_and_slack_takes_it(name: str, make_alert, make_notification) -> None:
    message = build_message(cases(make_alert, make_notification)[name])
    path = GOLDEN / f"{name}.json"
    if os.environ.get("QML_WRITE_GOLDEN"):
        path.write_text(json.dumps(message, indent=1, ensure_ascii=False) + "\n")
    assert message == json.loads(path.read_text())
    assert find_refusal(message) is None


def test_the_message_of_drift_shows_all_that_a_person_needs(make_alert, make_notification) -> None:
    text = json.dumps(build_message([make_notification(make_alert())]), ensure_ascii=False)
    for needed in (
        "ibm_hanoi",
        "qubits 0-1-2-3",
        "*Calibration before*\\nk1:9e828b99ede4a3a1",
        "*Calibration after*\\nk1:8100f0d558c49ed8",
        "*Hellinger*\\n0.08709 (0.0794 to 0.095)",
        "*Minimum effect*\\n0.05",
        "• cx_error 2-3: 0.0089 → 0.0309 (0.022 per operation, worse)\\n• sx_error 3",
        "quantum-mlops alerts show 000102030405",
    ):
        assert needed in text


def test_no_foreign_text_becomes_a_mention_or_a_link(make_alert, make_notification) -> None:
    message = build_message(cases(make_alert, make_notification)["hostile"])
    headline, *rest = message["attachments"][0]["blocks"]
    assert headline["text"]["type"] == "plain_text"  # where Slack interprets nothing
    text = json.dumps([message["text"], message["attachments"][0]["fallback"], *rest])
    without_dates = text.replace("<!date^", "")
    for markup in ("<!", "<@", "<http"):
        assert markup not in without_dates


def test_slack_is_told_to_link_nothing_by_itself_in_any_markdown(make_alert, make_notification) -> None:
    texts = [
        text
        for notifications in cases(make_alert, make_notification).values()
        for block in build_message(notifications)["attachments"][0]["blocks"]
        for text in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]
        if text and text["type"] == "mrkdwn"
    ]
    assert len(texts) > 100
    assert all(text["verbatim"] is True for text in texts)


@given(
    st.lists(
        st.builds(
            lambda texts, count: (texts, count), st.lists(st.text(max_size=3500), min_size=4, max_size=4), st.integers(0, 40)
        ),
        min_size=1,
        max_size=8,
    )
)  # fmt: skip
@example([(["r", "s" * 900, "d" * 2900, "x" * 2000], 10)])  # more than a message holds
def test_whatever_the_texts_slack_takes_the_message(parts: list[tuple[list[str], int]]) -> None:
    alerts = [
        Alert(
            key=str(number),
            fingerprint="f",
            finding_id=f"{number + 1:012d}{0:020d}",
            status="firing",
            rule=texts[0],
            severity="info",
            starts=0,
            updated=0,
            labels={"backend": texts[1], texts[2]: texts[3]},
            annotations={"summary": texts[1], "description": texts[2], **{f"a{n}": texts[3] for n in range(count)}},
            values={f"v{n}": n / 7 for n in range(count)},
            details={texts[0]: [{"name": texts[1], texts[2]: texts[3]}] * count},
        )
        for number, (texts, count) in enumerate(parts)
    ]
    message = build_message(
        [Notification(id="n", group="g", receiver="r", reason="x", time=0, alerts=alerts, firing=len(alerts))]
    )
    assert find_refusal(message) is None
    shown = json.dumps(message["attachments"][0]["blocks"][1:], ensure_ascii=False)
    assert f"alerts show {alerts[0].finding_id[:12]}" in shown
    summary = alerts[0].annotations["summary"] or alerts[0].rule
    assert json.dumps(clip(escape(summary[:60]), 60).removesuffix("…"), ensure_ascii=False)[1:-1] in shown


def test_an_alert_too_large_for_a_message_is_told_in_short(make_alert, make_notification) -> None:
    annotations = {"summary": "s" * 900, "description": "d" * 2900, **{f"a{n}": "x" * 600 for n in range(16)}}
    message = build_message([make_notification(make_alert(annotations=annotations), make_alert(1))])
    _headline, alert, *rest = message["attachments"][0]["blocks"]
    first, *small_print = [element["text"] for element in alert["elements"]]
    assert first == f"*FIRING* {'s' * 499}…"
    assert "backend ibm_hanoi · qubits 0-1-2-3 · project iris" in small_print
    assert "look further: `quantum-mlops alerts show 000102030405`" in small_print
    assert "ibm_hanoi qubits 0-1-2-3: outcomes moved by 0.087" in json.dumps(rest)  # the next one still in full
    assert find_refusal(message) is None


@given(st.text(), st.integers(2, 40))
def test_clipping_keeps_the_limit_and_whole_entities(text: str, limit: int) -> None:
    clipped = clip(escape(text), limit)
    assert len(clipped) <= limit
    rest = clipped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert "&" not in rest


def test_merging_keeps_the_latest_of_each_group_and_every_end(make_alert, make_notification) -> None:
    ended = make_alert(1, status="resolved", ends=1, open=[])
    first = make_notification(make_alert(0), ended)
    second = make_notification(make_alert(0), make_alert(2))
    other = make_notification(make_alert(3), group="other")
    (merged_other, merged) = merge([first, other, second])
    assert merged_other == other
    assert [alert.key for alert in merged.alerts] == ["k0", "k2", "k1"]
    assert (merged.firing, merged.resolved) == (2, 1)


def test_an_alert_with_a_link_shows_it_whole_in_full_and_in_short(make_alert, make_notification) -> None:
    address = f"https://monitor.example.org/{'x' * 600}/docs/alerts/CircuitDrift"
    shown = f"<{address}|what it means, what to check>"
    message = build_message([make_notification(*(make_alert(n, link=address) for n in range(6)))])
    assert find_refusal(message) is None
    texts = [one["text"] for block in message["attachments"][0]["blocks"] for one in block.get("elements", [])]
    assert texts.count(shown) == 6
    plain = build_message([make_notification(make_alert())])
    assert "what it means" not in json.dumps(plain)


def test_a_test_message_names_no_alert_to_look_at() -> None:
    text = json.dumps(build_message([trial_notification("team", 0)]))
    assert "nothing happened" in text
    assert "alerts show" not in text
