"""The daemon's configuration: the core's sections, with the receivers that are installed here."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from qml_daemon.calibrations.interval import check_calibrations
from qml_daemon.following.doors import check_follower
from qml_daemon.http.address import check_http
from qml_daemon.notifiers.plugins import load_kinds, settings_of
from quantum_mlops.config.load import load_config
from quantum_mlops.config.sections import Config, Sections
from quantum_mlops.stats.false_alarms import parse_rate


def read_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Return the checked configuration.

    Raises:
        ConfigError: a line for each mistake.

    """
    return load_config(
        path, environ, settings_of(load_kinds()), [check_rates, check_http, check_follower, check_calibrations]
    )


def check_rates(sections: Sections) -> Iterator[str]:
    """Yield one line for each false-alarm rate that cannot be read."""
    for kind, rate in (
        ("drift", sections.rules.drift.false_alarms),
        ("cost", sections.rules.cost.false_alarms),
        ("training", sections.rules.training.false_alarms),
        ("lifecycle.failures", sections.rules.lifecycle.failures.false_alarms),
    ):
        try:
            parse_rate(rate)
        except ValueError as error:
            yield f"rules.{kind}.false_alarms: {error}"
