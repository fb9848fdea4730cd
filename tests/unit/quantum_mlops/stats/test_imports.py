import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "absent"),
    [("quantum_mlops", "quantum_mlops.stats"), ("quantum_mlops.stats", "numpy"), ("quantum_mlops.stats", "scipy")],
)
def test_what_is_light_stays_light(module: str, absent: str) -> None:
    program = f"import sys, {module}; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_score_needs_neither_numpy_nor_scipy() -> None:
    program = (
        "import sys; from quantum_mlops.stats import *; h = Histogram(); h.add({'0': 5000, '1': 5000});"
        "c = pair(h, {'0': 600, '1': 400}); update(Cusum(), score(c, 0.05)); estimate_distance(c);"
        "sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
