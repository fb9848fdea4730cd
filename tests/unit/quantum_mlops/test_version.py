import importlib.metadata

from quantum_mlops.version import __version__


def test_the_version_is_that_of_the_distribution():
    assert __version__ == importlib.metadata.version("quantum-mlops")
