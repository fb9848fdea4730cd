"""A token that the broker refuses is an error, not a silence: aiokafka takes any answer for a welcome.

It then waits for answers that never come, while the broker waits for the end of the exchange.

Source: RFC 7628, section 3.2.3: a server that refuses says why, the client sends ^A, the server fails the exchange.
"""

import aiokafka.conn

_END = b"\x01"


class _Attentive(aiokafka.conn.OAuthAuthenticator):  # type: ignore[misc, unused-ignore] # aiokafka publishes few types
    async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
        if payload:  # empty where the token is welcome
            return _END, True
        answer: tuple[bytes, bool] | None = await super().step(payload)
        return answer


def heed_refusals() -> None:
    """Have aiokafka's connections of this process notice a refused token; idempotent."""
    aiokafka.conn.OAuthAuthenticator = _Attentive
