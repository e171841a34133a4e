"""The newest key document that a device has seen is remembered: an older one, kept by a thief, does not come back."""

from pathlib import Path

import httpx
import pytest
from tests.kits.process import RunningServer

from watchword.client.client import Client
from watchword.client.flows.account import NewAccount
from watchword.client.transport import pinned_context
from watchword.client.trust import KEYS_PATH, trust_by_file
from watchword.errors import NotTrustedError
from watchword.protocol.passwords import prepare
from watchword.server.control.client import ControlClient

PASSWORD = "violet kangaroo plays chess"


def test_after_a_rotation_no_command_of_this_device_takes_the_document_from_before(tmp_path: Path):
    with RunningServer.start(tmp_path / "data") as server:
        trusted = trust_by_file(server.origin, server.ca)
        password = prepare(PASSWORD)
        with Client(trusted, tmp_path / "home") as first:
            first.register(NewAccount(username="anna", password=password), device_name="one")
            old = httpx.get(server.origin + KEYS_PATH, verify=pinned_context(trusted.root_pem)).content
        with ControlClient.connect(server.data / "control.sock") as control:
            control.call("keys.rotate", {"use": "sealing", "at_once": True})
        with Client(trusted, tmp_path / "home") as second:
            second.open_vault(password)
            second.log_in("anna", password, device_name="one")
        with Client(trusted, tmp_path / "home") as third:
            third.open_vault(password)
            thief = httpx.Response(200, content=old)
            third._transport._send = lambda *_: thief  # type: ignore[method-assign]  # instead of the server
            with pytest.raises(NotTrustedError):
                third.key_document()
