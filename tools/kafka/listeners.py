"""The doors of a broker: plaintext, TLS, SASL; what server.properties says of each."""

from dataclasses import dataclass
from pathlib import Path

_MODULES = "org.apache.kafka.common.security"
_UNSECURED = f"{_MODULES}.oauthbearer.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"


@dataclass(frozen=True)
class Listener:
    """One door; `name` is how `Broker.bootstraps` calls its address, as in `Listener("scram", tls=True, ...)`."""

    name: str
    tls: bool = False
    client_certificates: bool = False
    """Whether a client must show a certificate of the broker's authority."""
    mechanism: str | None = None
    """PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or OAUTHBEARER (takes unsigned tokens: Kafka's own validator for tests)."""

    @property
    def protocol(self) -> str:
        """What Kafka calls `security.protocol`."""
        transport = "SSL" if self.tls else "PLAINTEXT"
        return f"SASL_{transport}" if self.mechanism else transport

    def properties(self, users: dict[str, str], certificates: Path) -> dict[str, str]:
        """Return the lines of server.properties; `certificates` holds ca.pem and server-chain.pem."""
        door = f"listener.name.{self.name.lower()}"
        lines: dict[str, str] = {}
        if self.tls:
            lines |= {
                f"{door}.ssl.keystore.type": "PEM",
                f"{door}.ssl.keystore.location": str(certificates / "server-chain.pem"),
                f"{door}.ssl.truststore.type": "PEM",
                f"{door}.ssl.truststore.location": str(certificates / "ca.pem"),
                f"{door}.ssl.client.auth": "required" if self.client_certificates else "none",
            }
        if self.mechanism:
            lines[f"{door}.sasl.enabled.mechanisms"] = self.mechanism
            lines[f"{door}.{self.mechanism.lower()}.sasl.jaas.config"] = _module(self.mechanism, users)
        if self.mechanism == "OAUTHBEARER":
            lines[f"{door}.oauthbearer.sasl.server.callback.handler.class"] = _UNSECURED
        return lines


def _module(mechanism: str, users: dict[str, str]) -> str:
    if mechanism == "PLAIN":
        return f"{_MODULES}.plain.PlainLoginModule required {_options(users)};"
    if mechanism == "OAUTHBEARER":
        return f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    return f"{_MODULES}.scram.ScramLoginModule required;"


def _options(users: dict[str, str]) -> str:
    return " ".join(f'user_{name}="{password}"' for name, password in users.items())
