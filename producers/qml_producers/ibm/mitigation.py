"""Which error mitigation and suppression a job asked for, in few words: what was set, not the service's defaults.

The options of the older primitives are dataclasses with `Unset`, of the newer ones models; both are only read.
"""

from typing import Any

_MAX_WORDS = 64


def mitigation_of(options: Any) -> dict[str, str]:
    """Return at most six entries of at most 64 characters each. Raises what an attribute of the options raises."""
    found: dict[str, str] = {}
    level = getattr(options, "resilience_level", None)
    if isinstance(level, int):
        found["resilience_level"] = str(level)
    resilience = getattr(options, "resilience", None)
    for name, option in (("trex", "measure_mitigation"), ("zne", "zne_mitigation"), ("pec", "pec_mitigation")):
        value = getattr(resilience, option, None)
        if isinstance(value, bool):
            found[name] = "on" if value else "off"
    if getattr(resilience, "zne_mitigation", None) is True:
        found["zne"] = _zne(getattr(resilience, "zne", None))
    decoupling = getattr(options, "dynamical_decoupling", None)
    if getattr(decoupling, "enable", None) is True:
        sequence = getattr(decoupling, "sequence_type", None)
        found["dynamical_decoupling"] = sequence if isinstance(sequence, str) else "on"
    twirling = getattr(options, "twirling", None)
    twirled = [what for what in ("gates", "measure") if getattr(twirling, f"enable_{what}", None) is True]
    if twirled:
        found["twirling"] = ",".join(twirled)
    return {name: words[:_MAX_WORDS] for name, words in found.items()}


def _zne(options: Any) -> str:
    amplifier, factors = getattr(options, "amplifier", None), getattr(options, "noise_factors", None)
    words = [amplifier] if isinstance(amplifier, str) else []
    if isinstance(factors, (list, tuple)):
        words.append(",".join(f"{factor:g}" for factor in factors if isinstance(factor, (int, float))))
    return " ".join(words) or "on"
