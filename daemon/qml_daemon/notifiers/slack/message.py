"""The message: what a person at night has to see first, within Slack's limits. Pure.

Headline, what happened, the numbers with their interval, the lists ranked as the processor ranked
them, and where to look further.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from qml_daemon.alert import Alert
from qml_daemon.notification import Notification
from qml_daemon.notifiers.slack import blocks
from qml_daemon.notifiers.slack.blocks import Block, escape
from qml_daemon.rows import MOST_ROWS, annotation_rows, detail_row, title, value_rows

Part = Sequence[Block]

COLOURS = {"critical": "#d40e0d", "warning": "#ecb22e", "info": "#439fe0"}
RESOLVED = "#2eb67d"
_MOST_IN_FULL = 5
_LABELS_FIRST = ("backend", "qubits", "project")
_MOST_IN_TITLE = 60
_MOST_IN_SHORT = 500


def build_message(notifications: Sequence[Notification]) -> dict[str, Any]:
    """Return the JSON of an incoming webhook: one group in full, several that waited as a digest.

    The blocks stand in an attachment, which gives them their colour; `text` is what a phone shows.
    """
    headline = _headline(notifications)
    alerts = [alert for notification in notifications for alert in notification.alerts]
    counted = sum(one.firing + one.resolved + one.notices for one in notifications)
    body = _fit([*_blocks(headline, alerts, counted - len(alerts), len(notifications))])
    fallback = f"{headline}: {_summary(alerts[0])}" if alerts else headline
    return {
        "text": blocks.clip(escape(fallback), blocks.MAX_TEXT),
        "attachments": [{"color": _colour(alerts), "fallback": blocks.clip(escape(fallback), 1000), "blocks": body}],
    }


def _headline(notifications: Sequence[Notification]) -> str:
    counts = (
        ("FIRING", sum(one.firing for one in notifications)),
        ("NOTICE", sum(one.notices for one in notifications)),
        ("RESOLVED", sum(one.resolved for one in notifications)),
    )
    states = ", ".join(name if count == 1 else f"{name}:{count}" for name, count in counts if count)
    alerts = [alert for notification in notifications for alert in notification.alerts]
    rules = list(dict.fromkeys(alert.rule for alert in alerts))
    backends = list(dict.fromkeys(alert.labels["backend"] for alert in alerts if "backend" in alert.labels))
    place = f" on {_few(backends)}" if backends else ""
    return f"[{states}] {_few(rules)}{place}"


def _few(names: list[str]) -> str:
    shown = ", ".join(name[:_MOST_IN_TITLE] for name in names[:2])
    return shown if len(names) <= 2 else f"{shown} and {len(names) - 2} more"  # noqa: PLR2004 - two fit a headline


def _colour(alerts: Sequence[Alert]) -> str:
    active = [alert.severity for alert in alerts if alert.status != "resolved"]
    return next((COLOURS[severity] for severity in COLOURS if severity in active), RESOLVED)


def _blocks(headline: str, alerts: Sequence[Alert], hidden: int, groups: int) -> Iterator[Sequence[Part]]:
    """Yield what belongs together, the most important first, each in its forms, the longest first."""
    yield [[blocks.header(headline)]]
    if groups > 1:
        yield [[blocks.context([f"{groups} groups waited to be sent and are told together"])]]
    for index, alert in enumerate(alerts):
        rule = [blocks.divider()] if index else []
        short = [*rule, *_short(alert)]
        yield [[*rule, *_full(alert)], short] if index < _MOST_IN_FULL else [short]
    if hidden > 0:
        yield [[blocks.context([f"… and {hidden} more: `quantum-mlops alerts`"])]]


def _full(alert: Alert) -> Iterator[Block]:
    description = alert.annotations.get("description", "")
    yield blocks.section(f"*{escape(_summary(alert))}*" + (f"\n{escape(description)}" if description else ""))
    rows = [*value_rows(alert.values), *annotation_rows(alert.annotations)]
    cells = [f"*{escape(name)}*\n{escape(text)}" for name, text in rows]
    for start in range(0, min(len(cells), 2 * blocks.MAX_FIELDS), blocks.MAX_FIELDS):
        yield blocks.fields(cells[start : start + blocks.MAX_FIELDS])
    if alert.status != "resolved":
        for name, items in alert.details.items():
            lines = [f"• {escape(detail_row(row))}" for row in items[:MOST_ROWS]]
            more = [f"… and {len(items) - MOST_ROWS} more"] if len(items) > MOST_ROWS else []
            if lines:
                yield blocks.section("\n".join([f"*{escape(title(name))}*", *lines, *more]))
    yield blocks.context([*_small_print(alert), *_link(alert)])


def _short(alert: Alert) -> Iterator[Block]:
    summary = blocks.clip(escape(_summary(alert)), _MOST_IN_SHORT)
    small_print = [blocks.clip(text, _MOST_IN_SHORT) for text in _small_print(alert)]
    yield blocks.context([f"*{alert.status.upper()}* {summary}", *small_print, *_link(alert)])


def _small_print(alert: Alert) -> list[str]:
    names = [name for name in _LABELS_FIRST if name in alert.labels]
    names += [name for name in sorted(alert.labels) if name not in names and name != "rule"]
    labels = " · ".join(f"{escape(name)} {escape(alert.labels[name])}" for name in names)
    times = f"{'since' if alert.status == 'firing' else 'from' if alert.ends else 'at'} {blocks.date(alert.starts)}"
    if alert.status == "resolved" and alert.ends is not None:
        times = f"{times} to {blocks.date(alert.ends)}"
    notes = [alert.severity, times]
    if alert.status == "resolved" and alert.reason:
        notes.append(f"closed: {escape(alert.reason)}")
    if alert.late:
        notes.append("late: the data came more than five minutes after it was measured")
    if len(alert.open) > 1:
        notes.append(f"{len(alert.open)} findings with these labels")
    look = f"look further: `quantum-mlops alerts show {alert.finding_id[:12]}`" if alert.finding_id else ""
    return [text for text in (labels, " · ".join(notes), look) if text]


def _link(alert: Alert) -> list[str]:
    """Return the one link of a message: to the page on the rule, at an address from the configuration."""
    return [] if alert.link is None else [blocks.link(alert.link, "what it means, what to check")]


def _summary(alert: Alert) -> str:
    return alert.annotations.get("summary") or alert.rule


def _fit(parts: Sequence[Sequence[Part]]) -> list[Block]:
    """Return as many parts as Slack takes, each in the longest form that fits; says so where some are left out."""
    fitted: list[Block] = []
    total = 0
    for forms in parts:
        part = next((form for form in forms if _fits(form, len(fitted), total)), None)
        if part is None:
            return [*fitted, blocks.context(["… the rest does not fit a message: `quantum-mlops alerts`"])]
        fitted += part
        total += sum(map(blocks.size, part))
    return fitted


def _fits(part: Part, count: int, total: int) -> bool:
    return count + len(part) < blocks.MAX_BLOCKS and total + sum(map(blocks.size, part)) <= blocks.MAX_SUM
