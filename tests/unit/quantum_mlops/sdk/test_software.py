import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

from quantum_mlops.sdk.software import code_version, sdk_versions


def test_versions_are_those_of_imported_packages_only(monkeypatch):
    for name in ("qiskit", "pennylane", "torch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = ModuleType("qiskit")
    module.__version__ = "9.9"
    monkeypatch.setitem(sys.modules, "qiskit", module)
    monkeypatch.setitem(sys.modules, "pennylane", SimpleNamespace(__version__=None))
    found = sdk_versions()
    assert found["qiskit"] == "9.9"
    assert found["python"].startswith("3.")
    assert "pennylane" not in found
    assert "torch" not in found


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments],
        cwd=folder, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip


@pytest.mark.parametrize("state", ["branch", "packed", "detached", "worktree"])
def test_the_commit_is_found_without_starting_git(tmp_path, monkeypatch, state):
    repository = tmp_path / "repository"
    (repository / "deep").mkdir(parents=True)
    git(repository, "init", "-q")
    git(repository, "commit", "-q", "--allow-empty", "-m", "one")
    commit = git(repository, "rev-parse", "HEAD")
    folder = repository / "deep"
    if state == "packed":
        git(repository, "pack-refs", "--all")
    elif state == "detached":
        git(repository, "checkout", "-q", "--detach")
    elif state == "worktree":
        git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
        folder = tmp_path / "side"
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__file__=str(folder / "train.py")))
    assert code_version() == commit


def test_without_a_repository_the_commit_is_absent(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())
    monkeypatch.chdir(tmp_path)
    assert code_version() is None
    (tmp_path / ".git").mkdir()
    assert code_version() is None
