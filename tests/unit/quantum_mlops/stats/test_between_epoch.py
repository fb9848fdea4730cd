from collections.abc import Callable, Mapping

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from quantum_mlops.stats import Epochs, Histogram, add_observation, homogeneity, null_effect, pair
from quantum_mlops.stats.between_epoch import EPOCHS_KEPT

Vector = NDArray[np.float64]


def test_the_minimum_effect_stands_until_five_epochs_are_complete() -> None:
    state = Epochs()
    for epoch in range(5):
        for _ in range(3):
            add_observation(state, f"cal-{epoch}", 15 + 8 * 4096 * 0.08**2, 15, 4096.0)
        assert null_effect(state, 0.05) == 0.05
    add_observation(state, "cal-5", 15.0, 15, 4096.0)
    assert null_effect(state, 0.05) == pytest.approx(0.08)


def test_quiet_epochs_never_narrow_the_null() -> None:
    assert null_effect(Epochs(effects=[-1e-5, 0.0, 1e-4, 1e-4, 2e-4]), 0.05) == 0.05


def test_a_minority_of_bad_epochs_does_not_hide_the_next() -> None:
    assert null_effect(Epochs(effects=[1e-4, 0.04, 1e-4, 0.04, 1e-4]), 0.05) == 0.05


def test_an_epoch_is_estimated_without_shot_noise_bias(
    hanoi: Mapping[str, Vector],
    at_distance: Callable[[Vector, Vector, float], Vector],
    named: Callable[[Vector], dict[str, int]],
) -> None:
    rng = np.random.default_rng(23)
    q = hanoi["before"]
    p = at_distance(q, np.sqrt(np.ones(16) / 16) - np.sqrt(q), 0.03)
    estimates = []
    for _ in range(60):
        reference, state = Histogram(), Epochs()
        reference.add(named(rng.multinomial(20 * 1024, q)))
        for _ in range(10):
            cells = pair(reference, named(rng.multinomial(1024, p)))
            add_observation(state, "worse", homogeneity(cells), cells.df, cells.effective_shots)
        add_observation(state, "next", 0.0, 1, 1.0)
        estimates.append(state.effects[0])
    # The empty last cell counts half a degree of freedom too many: at most 1 / (8 * 1024) in the square.
    assert np.mean(estimates) == pytest.approx(0.03**2, abs=3 * np.std(estimates) / np.sqrt(60) + 1 / (8 * 1024))


def test_only_the_newest_epochs_are_kept_and_the_state_survives_encoding() -> None:
    state = Epochs()
    for epoch in range(EPOCHS_KEPT + 10):
        add_observation(state, str(epoch), float(epoch), 1, 1000.0)
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=Epochs)
        assert msgspec.msgpack.encode(again) == msgspec.msgpack.encode(state)
    assert len(state.effects) == EPOCHS_KEPT
    assert state.effects[-1] == (EPOCHS_KEPT + 8 - 1) / 8000
