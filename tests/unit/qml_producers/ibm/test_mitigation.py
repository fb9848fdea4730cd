from qiskit_ibm_runtime import options as older
from qiskit_ibm_runtime import options_models as newer

from qml_producers.ibm.mitigation import mitigation_of


def test_what_was_not_set_is_not_said():
    assert mitigation_of(older.SamplerOptions()) == {}
    assert mitigation_of(older.EstimatorOptions()) == {}
    assert mitigation_of(newer.SamplerOptions()) == {}
    assert mitigation_of(object()) == {}


def test_the_older_options():
    options = older.EstimatorOptions(resilience_level=2)
    options.resilience.zne_mitigation = True
    options.resilience.zne.noise_factors = (1, 1.5, 3)
    options.resilience.measure_mitigation = False
    options.dynamical_decoupling.enable = True
    options.twirling.enable_gates = options.twirling.enable_measure = True
    assert mitigation_of(options) == {
        "resilience_level": "2",
        "trex": "off",
        "zne": "1,1.5,3",
        "dynamical_decoupling": "on",
        "twirling": "gates,measure",
    }


def test_the_newer_options():
    options = newer.EstimatorOptions(resilience_level=0)
    options.resilience.pec_mitigation = True
    options.dynamical_decoupling.enable = True
    options.dynamical_decoupling.sequence_type = "XY4"
    found = mitigation_of(options)
    assert (found["resilience_level"], found["pec"], found["dynamical_decoupling"]) == ("0", "on", "XY4")


def test_words_are_few_and_short():
    options = older.EstimatorOptions()
    options.resilience.zne_mitigation = True
    options.resilience.zne.noise_factors = tuple(1 + i / 7 for i in range(200))
    assert all(len(words) <= 64 for words in mitigation_of(options).values())
