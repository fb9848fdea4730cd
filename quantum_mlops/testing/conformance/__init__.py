"""Conformance: what every instrumentation must hold, ours or a third party's.

A package names its subjects (ways to run a job with its SDK) by the entry point group `quantum_mlops.conformance`: a
function that returns them. Its own tests are then three lines:

    @pytest.mark.parametrize("case", quantum_mlops.testing.conformance.cases("my_sdk"), ids=str)
    def test_it_conforms(case, tmp_path):
        case(tmp_path)
"""

from quantum_mlops.testing.conformance.cases import GROUP, Case, cases, cases_of, installed_subjects
from quantum_mlops.testing.conformance.subject import Subject

__all__ = ["GROUP", "Case", "Subject", "cases", "cases_of", "installed_subjects"]
