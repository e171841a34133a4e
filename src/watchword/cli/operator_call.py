"""How an operator's command reaches the data.

Over the control socket of the running server, or, when none runs, by opening the data itself under the lock that a
server would take.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watchword.cli.operator_options import given
from watchword.cli.output import note
from watchword.errors import UnreachableError

if TYPE_CHECKING:
    from watchword.server.config import Config
    from watchword.server.control.client import OnEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which server is meant, as the options say."""

    data: str | None
    config: Path | None

    def call(
        self,
        method: str,
        params: dict[str, Any],
        *,
        on_event: "OnEvent | None" = None,
        patient: bool = False,
        server_only: bool = False,
    ) -> Any:
        """The result of one method of `server/control/methods.py`. A `patient` call waits for ever.

        `server_only` ones are not done without a running server. Raises `WatchwordError`.
        """
        from watchword.server.config import find_data_directory
        from watchword.server.config.model import CONTROL_SOCKET
        from watchword.server.control.client import ControlClient, NoServerError

        directory = find_data_directory(flags=given(data=self.data), file=self.config)
        try:
            client = ControlClient.connect(directory / CONTROL_SOCKET)
        except NoServerError:
            if server_only:
                raise
            return self._call_offline(directory, method, params, on_event)
        with client:
            return client.call(method, params, on_event=on_event, patient=patient)

    def _call_offline(
        self, directory: Path, method: str, params: dict[str, Any], on_event: "OnEvent | None"
    ) -> Any:
        import asyncio

        from watchword.server.config import load_config
        from watchword.server.config.model import DATABASE_FILE
        from watchword.server.logs import configure_logs

        if not directory.is_dir():
            raise UnreachableError(
                f"there is no data directory {directory}: name one with --data, or WATCHWORD_DATA"
            )
        config = load_config(flags=given(data=self.data), file=self.config)
        if config.database is None and not (directory / DATABASE_FILE).exists():
            raise UnreachableError(
                f"no server runs on {directory}, and it holds no data yet: run “watchword serve”"
            )
        configure_logs(level="error", as_json=False)  # it stands among our own words
        result = asyncio.run(_run_offline(config, method, params, on_event))
        note(f"no server runs on {directory}: worked on the data itself")
        return result


async def _run_offline(
    config: "Config", method: str, params: dict[str, Any], on_event: "OnEvent | None"
) -> Any:
    from watchword.server.app import open_operator
    from watchword.server.control.methods import Call, dispatch
    from watchword.server.operator import LocalOperator

    async with open_operator(config) as service:
        call = Call(service=service, operator=LocalOperator(os.geteuid()), stream=_Direct(on_event))
        return await dispatch(call, method, params)


class _Direct:
    """A `Stream` within one process."""

    def __init__(self, on_event: "OnEvent | None") -> None:
        self._on_event = on_event

    def offer(self, event: str, params: dict[str, Any]) -> None:
        if self._on_event is not None:
            self._on_event(event, params)

    async def send(self, event: str, params: dict[str, Any]) -> None:
        self.offer(event, params)
