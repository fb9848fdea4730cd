"""The fingerprint of a set of labels: equal sets, equal alerts."""

import hashlib
from collections.abc import Mapping


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return 16 hex digits that depend on the labels alone, not on their order.

    >>> fingerprint({"rule": "CircuitDrift", "backend": "ibm_hanoi"})
    '9f5d5c45a6451477'
    """
    digest = hashlib.sha256()
    for name in sorted(labels):
        for text in (name, labels[name]):
            data = text.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()[:16]
