"""The runner: one order of all steps, timers, rules, recovery; processors only decide.

See docs/architecture.md, "Processors and runner". Start reading at `partition.py`.
"""

from qml_processors.runner.home import RunnerConfig
from qml_processors.runner.plugins import load_processors
from qml_processors.runner.replay import Replayed, replay
from qml_processors.runner.rules_log import apply_config, config_event, tick_event
from qml_processors.runner.runner import Runner

RUNNER_LABELS = ("processor", "error", "partition")
"""Labels of the findings that the runner itself makes: ProcessorError, EventsLost and the like."""

__all__ = [
    "RUNNER_LABELS",
    "Replayed",
    "Runner",
    "RunnerConfig",
    "apply_config",
    "config_event",
    "load_processors",
    "replay",
    "tick_event",
]
