import subprocess
import sys

import pytest

import quantum_mlops.testing


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


def test_importing_the_package_loads_no_quantum_sdk_and_no_numpy():
    heavy = "{'qiskit', 'qiskit_aer', 'numpy'} & set(sys.modules)"
    code = f"import sys, quantum_mlops.testing as t; t.Snapshot.load('hanoi', '2021'); print({heavy})"
    assert run(code).stdout.strip() == "set()"


@pytest.mark.parametrize("absent", ["qiskit", "qiskit_aer"])
def test_without_the_extra_the_error_says_what_to_install(absent):
    # a finder that hides one package is what a machine without it looks like to the import system
    code = f"""
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hide())
try:
    from quantum_mlops.testing import RecordedDevice
except ImportError as error:
    print(error)
"""
    assert "pip install 'quantum-mlops[aer]'" in run(code).stdout


def test_an_unknown_name_is_an_ordinary_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = quantum_mlops.testing.Nothing


def test_the_public_names_are_listed():
    assert dir(quantum_mlops.testing) == ["RecordedDevice", "Snapshot", "available_snapshots"]
