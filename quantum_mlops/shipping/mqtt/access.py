"""What a connection to a broker needs besides its address: user, password, the authority of its certificate.

A program has it from the environment, the daemon from `[mqtt]`. Secrets are read anew for each connection and
stand in no `repr`.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from quantum_mlops.config.mqtt_address import MqttAddress
from quantum_mlops.config.secret_file import read_secret
from quantum_mlops.config.sections import MqttSection
from quantum_mlops.errors import ConfigError

USER, PASSWORD, CA_FILE = "QML_MQTT_USER", "QML_MQTT_PASSWORD", "QML_MQTT_CA_FILE"


class Access(Struct, frozen=True, kw_only=True):
    """Who one is to a broker. `names` are what user, password file and authority are called, for the errors."""

    user: str | None = None
    password: str | None = None
    password_file: str | None = None
    ca_file: str | None = None
    names: tuple[str, str, str] = (USER, f"{PASSWORD}_FILE", CA_FILE)

    def __repr__(self) -> str:
        return "Access(...)"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Access":
        """Return what the environment says; reads no file."""
        return cls(
            user=environ.get(USER) or None,
            password=environ.get(PASSWORD) or None,
            password_file=environ.get(f"{PASSWORD}_FILE") or None,
            ca_file=environ.get(CA_FILE) or None,
        )

    @classmethod
    def from_section(cls, section: MqttSection) -> "Access":
        """Return what the configuration says; reads no file."""
        names = ("mqtt.user", "mqtt.password_file", "mqtt.ca_file")
        return cls(user=section.user, password_file=section.password_file, ca_file=section.ca_file, names=names)

    @property
    def has_secret(self) -> bool:
        """Whether there is a password to send."""
        return bool(self.password or self.password_file)

    def read_password(self) -> str | None:
        """Return the password, None where none is set. May read a file.

        Raises:
            ConfigError: it cannot be read, or others can read it too; the message does not hold it.

        """
        if self.password_file is None and self.password is None:
            return None
        if self.user is None:
            raise ConfigError(f"{self.names[0]}: a password needs its user")
        if self.password is not None:
            return self.password
        assert self.password_file is not None  # noqa: S101 - for the type checker
        return read_secret(Path(self.password_file), self.names[1])

    def make_tls(self, address: MqttAddress) -> ssl.SSLContext | None:
        """Return how to verify the broker, None where the address has no TLS. May read a file.

        Raises:
            ConfigError: the file is no certificate, or there is one without TLS.

        """
        if not address.uses_tls:
            if self.ca_file is not None:
                raise ConfigError(f"{self.names[2]}: is not used without TLS; write mqtts://{address.host}:8883")
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except ssl.SSLError:
            raise ConfigError(f"{self.names[2]}: {self.ca_file} holds no certificate") from None
        except OSError as error:
            raise ConfigError(f"{self.names[2]}: cannot read {self.ca_file}: {error.strerror}") from None
