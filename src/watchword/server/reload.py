"""SIGHUP: the configuration is read again, and what can change while serving does; the log says what cannot.

Nothing changes unless all of it is good.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from watchword.core.clock import Clock
from watchword.errors import WatchwordError
from watchword.server.config import Config, Loaded, Setting, TLSMode
from watchword.server.logs import configure_logs, get_log
from watchword.server.notify import Notifier
from watchword.server.transport import ServedTLS, material_from_files

_log: Final = get_log("server")


@dataclass(slots=True, kw_only=True)
class Reloader:
    """`config` is what the server was started with; `tls` None where it serves plain HTTP."""

    config: Config
    loaded: Loaded
    tls: ServedTLS | None
    notifier: Notifier
    clock: Clock
    on_taken: Callable[[], None]
    """Called after a reload that took something over."""
    _in_force: dict[str, Setting] = field(init=False)

    def __post_init__(self) -> None:
        self._in_force = {setting.field.key: setting for setting in self.loaded.settings}

    async def run(self, asked: asyncio.Event) -> None:
        """Reload each time that it is asked for, also while the last one went on, for ever."""
        while True:
            await asked.wait()
            asked.clear()
            self.notifier.reloading()
            self._reload()
            self.notifier.ready()

    def _reload(self) -> None:
        try:
            found = self.loaded.again()
            self._take_over(found.config)
        except WatchwordError as error:
            for problem in error.detail.splitlines():
                _log.error("server.reload_refused", problem=problem)
        except Exception as error:  # noqa: BLE001  # a reload that fails must not end the server that it is for
            _log.fault("server.reload_failed", error)
        else:
            self._tell(found)

    def _take_over(self, config: Config) -> None:
        """What may fail comes first."""
        files = TLSMode.FILES
        if self.tls is not None and self.config.tls.mode is files and config.tls.mode is files:
            self.tls.use(*material_from_files(config, self.clock))
        configure_logs(level=config.log.level.value, as_json=self.config.log.as_json)
        self.on_taken()

    def _tell(self, found: Loaded) -> None:
        changed = [each for each in found.settings if each.value != self._in_force[each.field.key].value]
        waiting = [each.field.key for each in changed if not each.field.live]
        taken = [each for each in changed if each.field.live]
        self._in_force.update((each.field.key, each) for each in taken)
        _log.info("server.reloaded", changed=", ".join(each.field.key for each in taken) or "none")
        if waiting:
            _log.warning("server.restart_needed", settings=", ".join(waiting))
