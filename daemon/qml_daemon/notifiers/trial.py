"""The message of `receivers test`: looks like an alert and says that it is none."""

from qml_daemon.alert import Alert
from qml_daemon.notification import Notification


def trial_notification(receiver: str, now: int) -> Notification:
    """Return a notification for `receiver` at `now` (ns)."""
    alert = Alert(
        key="trial",
        fingerprint="trial",
        finding_id="",  # there is none to look at
        status="notice",
        rule="ReceiverTest",
        severity="info",
        starts=now,
        updated=now,
        labels={"rule": "ReceiverTest"},
        annotations={
            "summary": f"Test of receiver {receiver}: nothing happened",
            "description": "Sent by `quantum-mlops receivers test`. If you read this, alerts reach you.",
        },
    )
    return Notification(
        id="trial", group="trial", receiver=receiver, reason="test", time=now, alerts=[alert], notices=1
    )
