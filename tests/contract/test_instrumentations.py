"""Every instrumentation that is installed, with every check of the conformance suite."""

import importlib.metadata

import pytest

from quantum_mlops.testing.conformance import cases, installed_subjects


@pytest.mark.parametrize("case", cases(), ids=str)
def test_it_conforms(case, tmp_path):
    case(tmp_path)


def test_every_instrumentation_has_subjects():
    names = {point.name for point in importlib.metadata.entry_points(group="quantum_mlops.instrumentations")}
    assert {subject.instrumentation for subject in installed_subjects()} == names
