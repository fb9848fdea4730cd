"""The daemon over its lives: a start, a new configuration, a restored backup, the end.

A reload ends one life as a stop would, stored whole, and begins the next in the same process. So there is one
way of starting and no half-changed part; events wait in the spool and in their senders meanwhile.
"""

import logging
import time
from collections.abc import Callable

from msgspec.structs import replace

from qml_daemon.assembly import Surroundings
from qml_daemon.operations.restore import is_staged, swap
from qml_daemon.runtime import Daemon
from quantum_mlops.config.sections import Config
from quantum_mlops.errors import ConfigError, LogError

_logger = logging.getLogger("quantum_mlops.daemon")


class Service:
    """Runs one daemon after the other. `stop` and `look_anew` may be called from a signal handler.

    Args:
        read_config: reads and checks the configuration; raises ConfigError.
        around: what the daemon takes from outside.
        announce: called with each daemon that is ready.
        notify: told what systemd wants to hear (`RELOADING=1`, `READY=1`).

    """

    def __init__(
        self,
        read_config: Callable[[], Config],
        around: Surroundings,
        announce: Callable[[Daemon], None],
        notify: Callable[[str], object],
    ) -> None:
        self._read_config = read_config
        self._around = around
        self._announce = announce
        self._notify = notify
        self._daemon: Daemon | None = None
        self._ends = False

    def stop(self) -> None:
        """End after what is under way."""
        self._ends = True
        if self._daemon is not None:
            self._daemon.stop.set()

    def look_anew(self) -> None:
        """Read the configuration again, or swap in a backup that is staged."""
        if self._daemon is not None:
            self._daemon.stop.set()

    def run(self) -> None:
        """Work until `stop`.

        Raises:
            ConfigError, LogError: at the first start; later ones keep the life before.

        """
        config = self._read_config()
        self._restore(config)
        self._daemon = Daemon(config, self._around)
        while True:
            following = self._live(self._daemon)
            if following is None:
                return
            self._around = replace(self._around, reloads=self._daemon.reloads + 1)
            self._daemon = self._begin(_at_the_same_port(following, self._daemon.url), config)
            config = self._daemon.config

    def _live(self, daemon: Daemon) -> Config | None:
        """Run one daemon to its end; return the configuration of the next, None at the end of all."""
        try:
            daemon.start()
            self._announce(daemon)
            self._notify("READY=1")
            while True:
                daemon.run()
                if self._ends:
                    return None
                self._notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
                try:
                    return self._read_config()
                except ConfigError as error:
                    if is_staged(daemon.config.state_dir):
                        return daemon.config
                    daemon.keep_config(str(error))
                    self._notify("READY=1")
        finally:
            if self._ends:
                self._notify("STOPPING=1")
            daemon.close()

    def _begin(self, following: Config, config: Config) -> Daemon:
        """Open the next life; where it cannot be, the one before again."""
        self._restore(config)
        try:
            return Daemon(following, self._around)
        except (ConfigError, LogError) as error:
            fault = str(error)
        again = Daemon(config, self._around)
        again.keep_config(fault)
        return again

    def _restore(self, config: Config) -> None:
        if is_staged(config.state_dir):
            aside = swap(config.state_dir, self._around.clock)
            _logger.warning("a backup was restored; the old state is in %s", aside)


def _at_the_same_port(config: Config, url: str | None) -> Config:
    """Return the configuration with the port that the life before had, where any free one is asked for."""
    if url is None or not config.http.listen.endswith(":0"):
        return config
    return replace(config, http=replace(config.http, listen=url.rpartition("/")[2]))
