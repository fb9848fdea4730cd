"""What a run was made with: versions of the quantum SDKs in use and the commit of the code.

Read from what is already in memory and from one or two small files; nothing is imported or started.
"""

import sys
from pathlib import Path

_KNOWN = (
    "qiskit", "qiskit_aer", "qiskit_ibm_runtime", "qiskit_ionq", "qiskit_machine_learning",
    "pennylane", "cirq", "braket", "pytket", "cudaq", "numpy", "scipy", "torch", "jax", "tensorflow",
)  # fmt: skip
_MAX_BYTES = 1024 * 1024


def sdk_versions() -> dict[str, str]:
    """Return package → version of what this program has imported and says its version."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _KNOWN:
        version = getattr(sys.modules.get(name), "__version__", None)
        if isinstance(version, str):
            found[name] = version[:100]
    return found


def code_version() -> str | None:
    """Return the git commit of the folder that the main script (else the process) stands in, or None."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        start = Path(script).resolve().parent if isinstance(script, str) else Path.cwd()
        for folder in (start, *start.parents):
            if (folder / ".git").exists():
                return _head(folder / ".git")
    except (OSError, ValueError):
        return None
    return None


def _head(git: Path) -> str | None:
    if git.is_file():  # a worktree: "gitdir: <folder>"
        git = (git.parent / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()).resolve()
    head = (git / "HEAD").read_text(encoding="utf-8").strip()
    if not head.startswith("ref:"):
        return head or None
    name = head.removeprefix("ref:").strip()
    common = git / "commondir"
    root = (git / common.read_text(encoding="utf-8").strip()).resolve() if common.is_file() else git
    if (root / name).is_file():
        return (root / name).read_text(encoding="utf-8").strip() or None
    packed = root / "packed-refs"
    if packed.is_file() and packed.stat().st_size <= _MAX_BYTES:
        for line in packed.read_text(encoding="utf-8").splitlines():
            commit, _, ref = line.partition(" ")
            if ref == name:
                return commit
    return None
