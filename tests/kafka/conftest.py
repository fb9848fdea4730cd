"""Every test in this folder needs a broker; the fixtures `kafka`, `prefix`, `own_broker` are in tests/broker.py."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kafka)
