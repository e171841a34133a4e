"""The control socket, with a real socket, a real server behind it and real uids."""

import asyncio
import json
import os
import random
import socket
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.kits.world import World, open_world

from watchword.core.ids import RequestId
from watchword.errors import ErrorCode, ForbiddenError, InvalidConfigError, WatchwordError
from watchword.server.control import place
from watchword.server.control.client import ControlClient, NoServerError
from watchword.server.control.errors import NUMBERS, ControlError, describe, remote_error
from watchword.server.control.methods import METHODS
from watchword.server.control.rpc import MAX_REQUEST
from watchword.server.control.server import MAX_CONNECTIONS, serve_control
from watchword.server.logs import JSONFormatter
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def serving(tmp_path: Path, **options: Any) -> AsyncIterator[tuple[World, Path]]:
    path = tmp_path / "data" / "control.sock"
    async with (
        open_world(tmp_path / "data") as world,
        serve_control(path, world.services.operator, **options),
    ):
        yield world, path


PATIENCE_S = 60.0


class Caller:
    """Raw lines to the socket and back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> "AsyncIterator[Caller]":
        connection = place.connect(path, timeout_s=PATIENCE_S)
        connection.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=1 << 22)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self) -> dict[str, Any] | None:
        """The next message; None at the end."""
        line = await asyncio.wait_for(self._reader.readline(), PATIENCE_S)
        message: dict[str, Any] | None = json.loads(line) if line else None
        return message

    async def call(self, method: str, params: Any = None, **more: Any) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}, **more}
        await self.send(json.dumps(message).encode() + b"\n")
        answer = await self.read()
        assert answer is not None
        return answer


async def run_blocking(path: Path, method: str, params: dict[str, Any], **options: Any) -> Any:
    """With the client that commands use, in a thread as in another process."""

    def work() -> Any:
        with ControlClient.connect(path) as client:
            return client.call(method, params, **options)

    return await asyncio.to_thread(work)


async def test_a_call_reaches_the_running_server_and_names_the_callers_uid(tmp_path):
    async with serving(tmp_path) as (world, path):
        await world.register("ada")
        shown = await run_blocking(path, "accounts.set-level", {"name": "ada", "level": 2})
        assert (shown["username"], shown["level"]) == ("ada", 2)
        facts = json.loads((await world.core.audit.tail(1))[0].facts)
        assert (facts["by"], facts["uid"]) == ("local operator", os.geteuid())


class Told:
    """What a running server would tell of itself."""

    async def metrics(self) -> str:
        return "watchword_ready 1.0\n"

    async def troubles(self) -> list[str]:
        return ["stopping"]

    def notes(self) -> list[str]:
        return ["look here"]


async def test_what_a_running_server_tells_of_itself_is_asked_over_the_socket(tmp_path):
    async with serving(tmp_path, running=Told()) as (_, path):
        assert await run_blocking(path, "server.metrics", {}) == {"text": "watchword_ready 1.0\n"}
        assert await run_blocking(path, "server.health", {}) == {
            "ready": False,
            "troubles": ["stopping"],
            "notes": ["look here"],
        }


async def test_a_call_its_error_its_audit_entry_and_its_log_line_share_an_id(tmp_path, caplog):
    caplog.set_level("DEBUG", "watchword")
    async with serving(tmp_path, running=Told()) as (world, path), Caller.open(path) as caller:
        refused = (await caller.call("accounts.show", {"name": "nobody"}))["error"]["data"]
        assert refused["request_id"].startswith("req_")
        with pytest.raises(ControlError) as raised:
            await run_blocking(path, "accounts.nonsense", {})
        assert str(raised.value.request_id).startswith("req_")
        await caller.call("invites.make", {})
        await caller.call("server.health")
        facts = json.loads((await world.core.audit.tail(1))[0].facts)
    lines = [json.loads(JSONFormatter().format(record)) for record in caplog.records]
    told = [line for line in lines if line["event"] == "control.request"]
    assert [(line["level"], line["method"], line["code"]) for line in told] == [
        ("info", "accounts.show", "not_found"),
        ("info", None, "method_not_allowed"),
        ("info", "invites.make", None),
        ("debug", "server.health", None),
    ]
    assert [line["request"] for line in told[:3]] == [
        refused["request_id"],
        raised.value.request_id,
        facts["request"],
    ]
    assert all(line["uid"] == os.geteuid() for line in told)


async def test_the_trail_is_asked_for_one_request_by_the_id_of_its_answer(tmp_path):
    async with serving(tmp_path) as (world, path):
        await world.register("ada")
        await world.log_in("ada")
        answers = {each.request.url.path: each.headers["x-request-id"] for each in world.seen}
        for place, tag in (("register", "account:account:register"), ("login", "account:session:login")):
            request = answers[f"/api/{place}"]
            (entry,) = (await run_blocking(path, "audit.show", {"request": request}))["entries"]
            assert entry["tag"] == tag
            assert entry["facts"]["request"] == request
        begun = answers["/api/login/begin"]
        assert await run_blocking(path, "audit.show", {"request": begun}) == {"entries": []}
        for nonsense in ("", "%", "req_%", str(world.clock.now())):
            with pytest.raises(ControlError) as refused:
                await run_blocking(path, "audit.show", {"request": nonsense})
            assert refused.value.code is ErrorCode.MALFORMED


async def test_every_method_answers_with_its_result_or_a_named_error(tmp_path):
    params: dict[str, dict[str, Any]] = {
        "accounts.show": {"name": "ada"},
        "accounts.set-level": {"name": "ada", "level": 1},
        "accounts.suspend": {"name": "ada"},
        "accounts.resume": {"name": "ada"},
        "accounts.delete": {"name": "ada"},
        "bans.add": {"network": "198.51.100.7", "seconds": 60},
        "bans.lift": {"target": "198.51.100.7"},
        "keys.rotate": {"use": "signing"},
        "audit.show": {"request": str(RequestId(bytes(16)))},
        "backup.begin": {"sealed": True, "root_key": False},
    }
    async with serving(tmp_path, running=Told()) as (world, path):
        await world.register("ada")
        for method in [each for each in METHODS if each != "bans.watch"]:  # which has no end
            found = await run_blocking(path, method, params.get(method, {}))
            assert isinstance(found, dict), method


async def test_the_socket_is_open_to_its_owner_alone_from_the_first_moment(tmp_path):
    async with serving(tmp_path) as (_world, path):
        status = path.lstat()
        assert stat.S_ISSOCK(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == 0o600


async def test_nobody_but_the_owner_and_root_is_answered(tmp_path):
    own = os.geteuid()

    def as_stranger(connection: socket.socket) -> int:
        assert place.peer_uid(connection) == own
        return place.check_uid(place.peer_uid(connection) or 12345, own=own + 1)

    async with serving(tmp_path, check_peer=as_stranger) as (_world, path), Caller.open(path) as caller:
        answer = await caller.read()
        assert answer is not None
        assert answer["error"]["data"]["code"] == "forbidden"
        assert await caller.read() is None


async def test_a_front_is_not_answered(tmp_path):
    fronts = {os.getpid()}
    check = place.refusing(fronts.__contains__)
    async with serving(tmp_path, running=Told(), check_peer=check) as (_world, path):
        async with Caller.open(path) as caller:
            answer = await caller.read()
            assert answer is not None
            assert answer["error"]["data"]["code"] == "forbidden"
            assert await caller.read() is None
        fronts.clear()
        assert await run_blocking(path, "server.health", {})


def test_only_root_and_the_own_uid_pass_the_check():
    assert place.check_uid(0, own=1000) == 0
    assert place.check_uid(1000, own=1000) == 1000
    for uid in (1, 999, 1001, 65534, -1):
        with pytest.raises(ForbiddenError):
            place.check_uid(uid, own=1000)


STRANGER = """
import json, os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(sys.argv[1])
except PermissionError:
    print("kept out")
else:
    print(json.loads(connection.makefile().readline())["error"]["data"]["code"])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
async def test_a_process_of_another_user_is_kept_out_by_the_mode_and_by_the_kernels_word(tmp_path):
    def ask(path: Path) -> str:
        command = [sys.executable, "-I", "-S", "-c", STRANGER, str(path)]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    async with serving(tmp_path) as (_world, path):
        assert await asyncio.to_thread(ask, path) == "kept out"
        changed = [path.parent, *(each for each in path.parent.parents if not each.stat().st_mode & 0o001)]
        modes = [each.stat().st_mode for each in changed]
        try:
            for each in changed:
                each.chmod(0o711)  # somebody loosens all that can be loosened
            path.chmod(0o666)
            assert await asyncio.to_thread(ask, path) == "forbidden"
        finally:
            for each, mode in zip(changed, modes, strict=True):
                each.chmod(mode)


async def test_the_socket_of_a_dead_server_is_replaced(tmp_path):
    (tmp_path / "data").mkdir(mode=0o700)
    dead, _inode = place.listen(tmp_path / "data" / "control.sock")
    dead.close()
    async with serving(tmp_path) as (_world, path):
        assert await run_blocking(path, "invites.list", {}) == {"invites": []}


async def test_the_socket_of_a_live_server_is_left_alone(tmp_path):
    async with serving(tmp_path) as (world, path):
        with pytest.raises(InvalidConfigError, match="another server answers"):
            async with serve_control(path, world.services.operator):
                pytest.fail("two servers on one socket")
        assert await run_blocking(path, "invites.list", {}) == {"invites": []}


async def test_what_is_no_socket_is_never_removed(tmp_path):
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(InvalidConfigError, match="move it away"):
        place.listen(path)
    assert path.read_text() == "precious"


async def test_the_socket_is_gone_when_the_server_is(tmp_path):
    async with serving(tmp_path) as (_world, path):
        assert path.exists()
    assert not path.exists()
    with pytest.raises(NoServerError):
        ControlClient.connect(path)


async def test_a_socket_that_another_server_put_there_is_not_removed(tmp_path):
    async with serving(tmp_path) as (_world, path):
        path.unlink()
        other, _inode = place.listen(path)
    assert path.exists()
    other.close()


async def test_a_data_directory_of_any_depth_can_have_a_socket(tmp_path):
    deep = tmp_path.joinpath(*["d" * 40] * 4)
    deep.mkdir(parents=True)
    async with serving(deep) as (_world, path):
        assert len(str(path)) > 150
        assert await run_blocking(path, "invites.list", {}) == {"invites": []}


@pytest.mark.parametrize(
    ("method", "params", "number", "code"),
    [
        ("nonsense", {}, -32601, "method_not_allowed"),
        ("__class__", {}, -32601, "method_not_allowed"),
        ("accounts.show", {}, -32602, "malformed"),
        ("accounts.show", {"name": 1}, -32602, "malformed"),
        ("accounts.show", {"name": "ada", "x": 1}, -32602, "malformed"),
        ("accounts.list", {"after": "acc_nonsense"}, -32602, "malformed"),
        ("accounts.set-level", {"name": "ada", "level": "1"}, -32602, "malformed"),
        ("accounts.set-level", {"name": "ada", "level": True}, -32602, "malformed"),
        ("accounts.show", {"name": "ada"}, -32006, "not_found"),
        ("keys.rotate", {"use": "data:pepper"}, -32010, "conflict"),
    ],
)
async def test_a_call_that_cannot_be_done_has_a_number_and_our_code_and_the_next_one_works(
    tmp_path, method, params, number, code
):
    async with serving(tmp_path) as (_world, path), Caller.open(path) as caller:
        answer = await caller.call(method, params)
        assert answer["id"] == 1
        assert answer["error"]["code"] == number
        assert answer["error"]["data"]["code"] == code
        assert (await caller.call("invites.list", id="again"))["id"] == "again"


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"null\n",
        b"[]\n",
        b'[{"jsonrpc":"2.0","id":1,"method":"invites.list"}]\n',
        b'{"jsonrpc":"1.0","id":1,"method":"invites.list"}\n',
        b'{"id":1,"method":"invites.list"}\n',
        b'{"jsonrpc":"2.0","method":"invites.list"}\n',
        b'{"jsonrpc":"2.0","id":null,"method":"invites.list"}\n',
        b'{"jsonrpc":"2.0","id":true,"method":"invites.list"}\n',
        b'{"jsonrpc":"2.0","id":1,"method":7}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"invites.list","params":[]}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"invites.list","extra":1}\n',
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"invites.list"}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"invites.list"\n',
        b"\xff\xfe\n",
        b"GET / HTTP/1.1\n",
    ],
)
async def test_a_line_that_is_no_request_ends_the_connection_with_a_reason(tmp_path, line):
    async with serving(tmp_path) as (_world, path), Caller.open(path) as caller:
        await caller.send(line)
        answer = await caller.read()
        assert answer is not None
        assert answer["id"] is None
        assert answer["error"]["data"]["code"] == "malformed"
        assert await caller.read() is None


async def test_a_line_without_end_is_cut_off_at_its_bound(tmp_path):
    async with serving(tmp_path) as (_world, path), Caller.open(path) as caller:
        await caller.send(b"x" * (MAX_REQUEST + 10))
        answer = await caller.read()
        assert answer is not None
        assert answer["error"]["data"]["code"] == "too_large"


async def test_any_bytes_leave_the_server_answering(tmp_path):
    chance = random.Random(2)
    async with serving(tmp_path) as (_world, path):
        for _ in range(count(60, 3000)):
            noise = chance.randbytes(chance.randrange(200)) + (b"\n" if chance.random() < 0.7 else b"")
            async with Caller.open(path) as caller:
                await caller.send(noise)
                caller.writer.write_eof()
                while await caller.read() is not None:
                    pass
        assert await run_blocking(path, "invites.list", {}) == {"invites": []}


async def test_a_caller_that_has_said_all_still_gets_its_answer(tmp_path):
    async with serving(tmp_path) as (_world, path), Caller.open(path) as caller:
        await caller.send(b'{"jsonrpc":"2.0","id":1,"method":"invites.list"}\n')
        caller.writer.write_eof()
        assert await caller.read() == {"jsonrpc": "2.0", "id": 1, "result": {"invites": []}}
        assert await caller.read() is None


async def test_a_connection_that_says_nothing_is_ended(tmp_path):
    async with serving(tmp_path, idle_s=0.05) as (_world, path), Caller.open(path) as caller:
        assert await caller.read() is None


async def test_a_call_that_takes_too_long_is_told_so(tmp_path):
    async with serving(tmp_path, request_s=0) as (_world, path), Caller.open(path) as caller:
        answer = await caller.call("accounts.list")
        assert answer["error"]["data"]["code"] == "timeout"


async def test_more_connections_than_there_are_places_are_turned_away(tmp_path):
    async with serving(tmp_path) as (_world, path):
        held = [place.connect(path, timeout_s=PATIENCE_S) for _ in range(MAX_CONNECTIONS)]
        await asyncio.sleep(0.05)
        with pytest.raises(ControlError) as refused:
            await run_blocking(path, "invites.list", {})
        assert refused.value.code is ErrorCode.OVERLOADED
        for each in held:
            each.close()
        ends = time.monotonic() + PATIENCE_S
        while await is_turned_away(path):  # the server has still to see that they went
            assert time.monotonic() < ends
        assert await run_blocking(path, "invites.list", {}) == {"invites": []}


async def is_turned_away(path: Path) -> bool:
    try:
        await run_blocking(path, "invites.list", {})
    except ControlError as error:
        return error.code is ErrorCode.OVERLOADED
    return False


async def test_an_unexpected_error_shows_the_id_of_its_log_line_and_nothing_else(tmp_path, caplog):
    async with serving(tmp_path) as (world, path), Caller.open(path) as caller:
        world.services.operator._keys = None  # type: ignore[assignment]  # a fault of ours
        answer = await caller.call("keys.status")
        assert answer["error"]["code"] == -32603
        assert answer["error"]["data"]["code"] == "internal"
        request = answer["error"]["data"]["request_id"]
        assert request in answer["error"]["message"]
        assert any(request in JSONFormatter().format(record) for record in caplog.records)
        assert "NoneType" not in json.dumps(answer)
        assert (await caller.call("invites.list"))["result"] == {"invites": []}


async def test_following_tells_each_entry_as_it_comes_and_ends_with_the_caller(tmp_path):
    async with serving(tmp_path) as (world, path):
        async with Caller.open(path) as caller:
            answer = await caller.call("audit.tail", {"limit": 1, "follow": True})
            assert answer["method"] == "entry"
            first = answer["params"]["seq"]
            await run_blocking(path, "invites.make", {"note": "new"})
            entry = await caller.read()
            assert entry is not None
            assert (entry["params"]["seq"], entry["params"]["tag"]) == (first + 1, "operator:invite:make")
        ends = time.monotonic() + PATIENCE_S
        while any("_Control" in repr(task.get_coro()) for task in asyncio.all_tasks()):
            assert time.monotonic() < ends, world
            await asyncio.sleep(0.01)


async def test_following_ends_when_the_server_stops_and_says_why(tmp_path):
    async with serving(tmp_path) as (_world, path):
        caller_open = Caller.open(path)
        caller = await caller_open.__aenter__()
        assert (await caller.call("audit.tail", {"limit": 1, "follow": True}))["method"] == "entry"
    answer = await caller.read()
    assert answer is not None
    assert answer["error"]["data"]["code"] == "unavailable"
    assert await caller.read() is None
    await caller_open.__aexit__(None, None, None)


async def test_whoever_talks_during_a_long_call_is_told_that_nobody_listens(tmp_path):
    async with serving(tmp_path) as (_world, path), Caller.open(path) as caller:
        await caller.call("audit.tail", {"limit": 1, "follow": True})
        await caller.send(b"{}\n")
        answer = await caller.read()
        assert answer is not None
        assert answer["error"]["data"]["code"] == "malformed"
        assert await caller.read() is None


async def test_verifying_tells_how_far_it_is(tmp_path):
    async with serving(tmp_path) as (world, path):
        world.core.checkpointer.start()
        await world.register("ada")
        world.core.checkpointer.tick()
        seen: list[int] = []
        report = await run_blocking(
            path, "audit.verify", {}, on_event=lambda _event, params: seen.append(params["entries"])
        )
        assert report["ok"] is True
        assert seen[-1] == report["entries"] > 0


async def test_an_answer_holds_no_verifier_no_seed_and_no_key(tmp_path):
    async with serving(tmp_path) as (world, path):
        await world.register("ada", email="ada@example.org")
        shown = json.dumps(
            [await run_blocking(path, method, {"name": "ada"} if method == "accounts.show" else {})
             for method in ("accounts.list", "accounts.show", "invites.make", "invites.list", "keys.status")]
        )  # fmt: skip
        for word in ("verifier", "seed", "sealed", "secret", "salt", "wrapped"):
            assert word not in shown.replace("sealing", "")


def test_every_error_code_has_a_number_and_comes_back_as_itself():
    assert set(NUMBERS) == set(ErrorCode)
    assert len(set(NUMBERS.values())) == len(NUMBERS)
    for code in ErrorCode:
        described = describe(remote_error(code.value, "why"))
        back = remote_error(**described["data"])
        assert (back.code, back.detail) == (code, "why")
        assert isinstance(back, WatchwordError)
    assert remote_error("from the future", "").code is ErrorCode.INTERNAL
