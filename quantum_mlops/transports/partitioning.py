"""Which partition a key belongs to, as Kafka's default partitioner for the Java client decides it.

Foreign producers with the Java client (or librdkafka's `murmur2_random`) then agree with us on where
a project lives. Pure and thread-safe.

Source: Apache Kafka, org.apache.kafka.common.utils.Utils.murmur2 and toPositive (Austin Appleby's MurmurHash2).
"""

from functools import lru_cache

_MIX = 0x5BD1E995
_SEED = 0x9747B28C
_WORD = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF


def murmur2(data: bytes) -> int:
    """Return Kafka's 32-bit MurmurHash2 of `data`, unsigned.

    >>> murmur2(b"foobar") - 2**32
    -790332482
    """
    whole = len(data) & ~3
    hashed = _SEED ^ len(data)
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _MIX & _WORD
        word = (word ^ word >> 24) * _MIX & _WORD
        hashed = hashed * _MIX & _WORD ^ word
    if rest := data[whole:]:
        hashed = (hashed ^ int.from_bytes(rest, "little")) * _MIX & _WORD
    hashed = (hashed ^ hashed >> 13) * _MIX & _WORD
    return hashed ^ hashed >> 15


@lru_cache(maxsize=16_384)
def partition_of(partitionkey: str, partitions: int) -> int:
    """Return `toPositive(murmur2(key)) % partitions`; lone surrogates of a broken key hash as they are.

    >>> partition_of("iris", 1), partition_of("iris", 3) in range(3)
    (0, True)
    """
    return (murmur2(partitionkey.encode("utf-8", "surrogatepass")) & _POSITIVE) % partitions
