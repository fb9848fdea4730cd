"""Every instrumentation that is installed, with every check of the conformance suite."""

import importlib.metadata
from pathlib import Path

import pytest

from quantum_mlops.testing.conformance import cases, installed_subjects


@pytest.mark.parametrize("case", cases(), ids=str)
def test_it_conforms(case, tmp_path):
    case(tmp_path)


def test_every_instrumentation_has_subjects():
    names = {point.name for point in importlib.metadata.entry_points(group="quantum_mlops.instrumentations")}
    local = {subject.instrumentation for subject in installed_subjects()}
    remote = {
        path.stem.removeprefix("test_instrumentations_") for path in Path(__file__).parent.glob("test_instr*_*.py")
    }
    assert local | remote == names
