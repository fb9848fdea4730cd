"""What /metrics says of the follower, looked at by a scrape: its own figures, whoever started it."""

from pathlib import Path

from qml_daemon.following.status import read_follower_status
from qml_daemon.metrics.tally import Figure
from quantum_mlops.clock import SECOND


def describe_followed(state_dir: Path) -> list[Figure]:
    """Return the figures of the follower on a state folder; none where it never ran, or was stopped."""
    status = read_follower_status(state_dir)
    if status is None or status.state == "stopped":
        return []
    found = [
        Figure("qml_followed_reported_timestamp_seconds", (), status.written / SECOND),
        Figure("qml_followed_given_up_jobs_total", (), status.given_up),
    ]
    for name, one in status.providers.items():
        found += [
            Figure("qml_followed_jobs", (name, "open"), one.open_jobs),
            Figure("qml_followed_jobs", (name, "unbilled"), one.unbilled_jobs),
            Figure("qml_provider_looks_total", (name, "answered"), one.looks - one.refusals),
            Figure("qml_provider_looks_total", (name, "refused"), one.refusals),
            Figure("qml_provider_looks_total", (name, "failed"), one.errors),
            Figure("qml_provider_closed", (name,), one.closed is not None),
        ]
    return found
