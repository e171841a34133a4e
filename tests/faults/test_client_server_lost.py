"""A client whose server stands still, is killed in the middle of a call, and comes back."""

import signal
import threading
from pathlib import Path

import pytest
from tests.kits.clients import KINDS, make, note_sleeps
from tests.kits.ports import kept_port
from tests.kits.process import RunningServer

from watchword.client import Timeouts
from watchword.client.flows.account import NewAccount
from watchword.client.trust import trust_by_file
from watchword.core.secret import Secret
from watchword.errors import UnreachableError

PASSWORD = Secret.from_text("violet kangaroo plays chess")
APP = "https://app.example"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_lost_in_a_call_leaves_the_client_whole(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with kept_port() as port:  # the server comes back to it
        lose_the_server(kind, tmp_path, monkeypatch, {"listen": f"127.0.0.1:{port}"})


def lose_the_server(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    server = RunningServer.start(tmp_path / "data", settings=settings)
    trusted = trust_by_file(server.origin, server.ca)
    try:
        with make(kind, trusted, tmp_path / "home", password=PASSWORD) as client:
            client.register(NewAccount(username="anna", password=PASSWORD))
            slept = note_sleeps(client)
            server.process.send_signal(signal.SIGSTOP)
            with monkeypatch.context() as patch:
                patch.setattr(client._transport, "_timeouts", Timeouts(read=0.4))
                with pytest.raises(UnreachableError, match="no answer in time"):
                    client.token(APP)
            assert slept == []
            killer = threading.Timer(0.1, server.kill)
            killer.start()
            with pytest.raises(UnreachableError):
                client.token(APP)
            killer.join()
            cut = len(slept)  # the connection that ended with the server may have been a new one
            vault = (tmp_path / "home/vault").read_bytes()
            with pytest.raises(UnreachableError, match="nothing listens"):
                client.who_am_i()
            assert len(slept) == 2 + cut
            server = RunningServer.start(tmp_path / "data", settings=settings)
            assert client.who_am_i().account.username == "anna"
            assert client.token(APP).token_type == "Bearer"
            assert (tmp_path / "home/vault").read_bytes() == vault
    finally:
        server.stop()
