import pytest

from qml_processors.lifecycle.durations import duration_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0 s"), (9.94, "9.9 s"), (60.0, "1 min"), (3_605.0, "1 h"), (90_061.0, "1 d 1 h"), (86_460.0, "1 d"), (61.5, "1 min 1 s")],
)  # fmt: skip
def test_two_neighbouring_units_at_most(seconds, text):
    assert duration_text(seconds) == text
