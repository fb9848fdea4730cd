"""Where one recorder's events go: given, or read from the environment at the first use."""

import os

from quantum_mlops.errors import ConfigError
from quantum_mlops.sdk.notice import say
from quantum_mlops.sdk.settings import Settings, read_settings


class Destination:
    """Settings that are fixed once they are in use."""

    def __init__(self, settings: Settings | None) -> None:
        self._settings = settings

    @property
    def settings(self) -> Settings:
        """The settings; a wrong environment disables the recorder with one line on stderr."""
        return self._settings or self.choose(None, None)

    def choose(self, project: str | None, target: str | None) -> Settings:
        """Set project and target, None from the environment; what is set already stays."""
        try:
            wanted = read_settings(os.environ, project, target)
        except ConfigError as error:
            say(f"{error}; nothing is recorded")
            wanted = Settings(spool="", enabled=False)
        if self._settings is None:
            self._settings = wanted
        elif self._settings != wanted:
            say(f"the spool {self._settings.spool} of project {self._settings.project!r} is in use already and stays")
        return self._settings
