"""On a machine without strace and unshare their tests are left out with a reason, but never under CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).parents if (folder / "pyproject.toml").is_file())
FILES = ("tests/unit/quantum_mlops/sdk/test_syscalls.py", "tests/unit/qml_daemon/intake/test_namespaces.py")


@pytest.fixture
def collect(tmp_path):
    """Collect the tests that need a tool, where the tools are those of `path`; returns what pytest says."""

    def run(**environment):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *FILES],
            env={name: value for name, value in os.environ.items() if name != "CI"} | environment,
            cwd=ROOT, timeout=60, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    return run


def forbid(folder, *tools):
    """Put tools in a folder that are there but end as where the kernel permits nothing."""
    for tool in tools:
        (folder / tool).write_text("#!/bin/sh\necho 'Operation not permitted' >&2\nexit 1\n")
        (folder / tool).chmod(0o700)
    return str(folder)


def test_without_the_tools_their_tests_are_deselected_with_a_reason(collect, tmp_path):
    said = collect(PATH=str(tmp_path))
    assert "::test_" not in said
    assert "4 tests not run: they need `strace`, which is not installed or not permitted on this machine" in said
    assert "2 tests not run: they need `unshare`" in said
    assert "6 deselected" in said


def test_a_tool_that_is_not_permitted_is_as_good_as_absent(collect, tmp_path):
    said = collect(PATH=forbid(tmp_path, "strace", "unshare"))
    assert "6 deselected" in said
    assert "::test_" not in said


def test_under_ci_they_are_not_left_out(collect, tmp_path):
    said = collect(PATH=str(tmp_path), CI="true")
    assert said.count("::test_") == 6
    assert "deselected" not in said
    assert "not run" not in said
