"""The decision whether to tell: one row a sentence."""

import pytest

from qml_daemon.dispatch.decide import Reason, Told, needs_notification

ROWS = [
    ("nothing happened", None, "", "", "", 0, None),
    ("a new group fires", None, "a", "", "", 0, Reason.FIRST_NOTIFICATION),
    ("opened and closed before the first notification", None, "", "a", "", 0, None),
    ("only a notice", None, "", "", "n", 0, Reason.NOTICE),
    ("nothing new", Told({"a"}, 10), "a", "", "", 5, None),
    ("one more fires", Told({"a"}, 10), "ab", "", "", 5, Reason.NEW_ALERTS),
    ("one of two is resolved", Told({"a", "b"}, 10), "a", "b", "", 5, Reason.NEW_RESOLVED),
    ("all are resolved", Told({"a"}, 10), "", "a", "", 5, Reason.ALL_RESOLVED),
    ("one that was never told is resolved", Told({"a"}, 10), "a", "b", "", 5, None),
    ("the repeat interval is over", Told({"a"}, 10), "a", "", "", 10, Reason.REPEAT),
    ("nothing fires, so nothing is repeated", Told(set(), 10), "", "", "", 99, None),
    ("a notice beside what fires", Told({"a"}, 10), "a", "", "n", 5, Reason.NOTICE),
]


@pytest.mark.parametrize(("told", "firing", "resolved", "notices", "due", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])  # fmt: skip
def test_the_reason_follows_from_what_was_told(told, firing, resolved, notices, due, reason) -> None:
    assert needs_notification(told, set(firing), set(resolved), set(notices), due) == reason
