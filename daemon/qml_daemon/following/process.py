"""The daemon's side of the follower: SDKs that take seconds and 200 MiB to import stay out of the daemon's process."""

from qml_daemon.exporters.process import AttachedProcess
from quantum_mlops.config.sections import Config


def build_process(config: Config) -> AttachedProcess | None:
    """Return the follower's process, not started yet; None where it is not enabled."""
    return AttachedProcess("the follower", ["qml_daemon.following"], config.path) if config.follower.enabled else None
