"""The link of this node to Redis: whether it is up, and which memory it reaches.

    down ── connected and greeted ──> up ── closed, silent, or forgetful ──> down

While it is down every question fails at once, and the keeper tries again. It greets before anybody else may ask, and
once a second after that. Greeting tells the boot id: a random value that lies in Redis under its `run_id`. Another run,
or a memory that was flushed, has another one. Until the next greeting a flush is not noticed here.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from watchword.core.clock import Clock
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.errors import UnavailableError
from watchword.server.logs import get_log
from watchword.server.redis.line import Argument, Line, make_connection
from watchword.server.redis.listener import Listener, Receiver
from watchword.server.redis.reasons import reason_of
from watchword.server.redis.script import Script

PREFIX: Final = "watchword:"
"""Of every key and channel, so that a rule for access can name them."""
BOOT_ID_SIZE: Final = 8
_BOOT_DAYS: Final = 30
"""How long the boot id of a run that has ended lies about."""
_GREETING: Final = Script(f"""\
redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', {_BOOT_DAYS * 86_400})
if redis.call('TTL', KEYS[1]) < {_BOOT_DAYS * 43_200} then redis.call('EXPIRE', KEYS[1], {_BOOT_DAYS * 86_400}) end
return {{redis.call('GET', KEYS[1])}}
""")
_USELESS: Final = frozenset(
    {"BUSY", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MISCONF", "NOREPLICAS", "OOM", "READONLY"}
)
"""Errors of a Redis that cannot do its work now. A greeting writes, so there is no coming back before it can."""
_NO_SCRIPT: Final = "NOSCRIPT"
_log: Final = get_log("redis")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTimes:
    """In seconds. Tests on a busy machine are more patient, or less."""

    silence_s: float = 0.25
    """Silence after a question that makes Redis count as gone."""
    connect_s: float = 2.0
    """For connecting and greeting; nobody waits for that but the start."""
    retry_s: float = 0.25
    beat_s: float = 1.0
    """From one greeting to the next."""


class _RefusedError(UnavailableError):
    """Redis answered with an error; `word` is its code."""

    def __init__(self, word: str) -> None:
        super().__init__(retry_after=1)
        self.word = word


class RedisLink:
    """Made without a question; `start` asks the first. Raises `InvalidConfigError` for a URL that means nothing."""

    def __init__(
        self, url: Secret, *, clock: Clock, entropy: Entropy, times: LinkTimes | None = None
    ) -> None:
        make_connection(url)
        self._times: Final = times or LinkTimes()
        self._url: Final = url
        self._clock: Final = clock
        self._entropy: Final = entropy
        self._line: Line | None = None
        self._up = False
        self._lost_at: float | None = None
        self.why = ""
        """The word for why Redis is away; "" while it is up, and before the first try."""
        self._said: Final[set[str]] = set()
        """Words that the log has of this time away: each once, though they may take turns four times a second."""
        self._refused: Final[set[str]] = set()
        """Codes of errors that were told in the log since the link came up."""
        self._boot_key = ""
        self.boot_id = b""
        """8 bytes; the same at every node of one Redis, another one when that has forgotten. b"" before the first."""
        self.on_change: Final[list[Callable[[bool], None]]] = []
        """Told whether the link is up, whenever that changes. Called on the event loop; must not raise or wait."""
        self._listener: Final = Listener(url)
        self._keeper: asyncio.Task[None] | None = None
        self._tried: Final = asyncio.Event()

    @property
    def up(self) -> bool:
        """Whether Redis answered last, and nothing has been heard against it since."""
        return self._up

    async def start(self) -> None:
        """Connect, or find out that this does not work now; either way the link is kept from then on."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name="redis link")
        await self._tried.wait()

    async def close(self) -> None:
        """Nothing is said of this end: `on_change` is for those that were not asked for."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self.on_change.clear()
        await self._listener.stop()
        await self._drop()

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[Argument] = ()) -> list[Any]:
        """What `script`, which returns a table, says: integers, `bytes`, None.

        Raises `UnavailableError` when no answer comes: it may have run all the same. The keys begin with
        `PREFIX`.
        """
        line = self._line
        if line is None or not self._up:
            raise UnavailableError(retry_after=1)
        return await self._run(line, script, keys, args)

    async def publish(self, channel: str, message: bytes) -> None:
        """Tell all nodes that listen now, this one too. Raises `UnavailableError`."""
        line = self._line
        if line is None or not self._up:
            raise UnavailableError(retry_after=1)
        await self._ask(line, "PUBLISH", PREFIX + channel, message)

    def subscribe(self, channel: str, receive: Receiver) -> None:
        """Hear what is published on `channel` while the link is up. Before `start`; one receiver for each channel.

        A message may be missed. Whenever listening begins anew, `receive` is called with b"": look then.
        """
        self._listener.add(PREFIX + channel, receive)

    async def _run(
        self, line: Line, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> list[Any]:
        try:
            answer = await self._ask(line, "EVALSHA", script.sha, len(keys), *keys, *args)
        except _RefusedError as refused:
            if refused.word != _NO_SCRIPT:
                raise
            answer = await self._ask(line, "EVAL", script.text, len(keys), *keys, *args)
        found: list[Any] = answer
        return found

    async def _ask(self, line: Line, *arguments: Argument) -> Any:
        from redis.exceptions import ResponseError  # noqa: PLC0415  # loaded by now

        try:
            return await line.ask(*arguments)
        except ResponseError as error:
            refused = _RefusedError(_word_of(error))
        if refused.word in _USELESS:
            line.end(refused.word)
        elif refused.word != _NO_SCRIPT and refused.word not in self._refused:
            self._refused.add(refused.word)
            _log.error("redis.refused", command=str(arguments[0]), error=refused.word)
        raise refused

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._times.connect_s):
                    line = await self._connect()
            except Exception as error:  # noqa: BLE001  # whatever it is: tried again, and said
                await self._drop()
                self._say_lost(self._word_for(error))
            else:
                self._say_up()
                self._tried.set()
                await self._watch(line)
                await self._drop()
            self._tried.set()
            await asyncio.sleep(self._times.retry_s)

    async def _connect(self) -> Line:
        line = await Line.open(self._url, silence_s=self._times.silence_s, on_end=self._say_lost)
        self._line = line
        server = await self._info(line, "server")
        self._boot_key = f"{PREFIX}boot:{server['run_id']}"
        self.boot_id = await self._greet(line)
        memory = await self._info(line, "memory")
        if memory.get("maxmemory", "0") != "0" and memory.get("maxmemory_policy") != "noeviction":
            _log.warning("redis.forgets", maxmemory_policy=memory.get("maxmemory_policy", ""))
        return line

    async def _watch(self, line: Line) -> None:
        """Greet once a second, until the line ends."""
        while not await line.ended(self._times.beat_s):
            with contextlib.suppress(UnavailableError):
                if await self._greet(line) != self.boot_id:
                    line.end("forgotten")

    async def _greet(self, line: Line) -> bytes:
        """The boot id of this moment."""
        found = await self._run(line, _GREETING, [self._boot_key], [self._entropy.bytes(BOOT_ID_SIZE)])
        return bytes(found[0])

    async def _info(self, line: Line, section: str) -> dict[str, str]:
        text: bytes = await self._ask(line, "INFO", section)
        pairs = (row.split(":", 1) for row in text.decode(errors="replace").splitlines() if ":" in row)
        return {name: value.strip() for name, value in pairs}

    async def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    def _say_up(self) -> None:
        if self._lost_at is None:
            _log.info("redis.connected")
        else:
            _log.info("redis.back", away_s=round(self._clock.monotonic() - self._lost_at, 1))
        self._up, self._lost_at, self.why = True, None, ""
        self._said.clear()
        self._refused.clear()
        self._listener.start()
        self._tell(up=True)

    def _word_for(self, error: Exception) -> str:
        """Why there was no connecting. A line that ended by itself has said why; what it leaves does not tell."""
        if isinstance(error, _RefusedError):
            return error.word
        return self.why if self.why and isinstance(error, UnavailableError) else reason_of(error)

    def _say_lost(self, why: str) -> None:
        if self._lost_at is None:
            self._lost_at = self._clock.monotonic()
        was_up, self._up, self.why = self._up, False, why
        if why not in self._said:
            self._said.add(why)
            _log.warning("redis.lost", why=why)
        if was_up:
            self._tell(up=False)

    def _tell(self, *, up: bool) -> None:
        for told in self.on_change:
            try:
                told(up)
            except Exception as error:  # noqa: BLE001  # the link must be kept all the same
                _log.fault("redis.not_told", error)


def _word_of(error: Exception) -> str:
    """The code of Redis' error; the rest of its text may show what was asked."""
    word = str(getattr(error, "status_code", None) or error).partition(" ")[0]
    return word if word.isupper() and word.isascii() else "ERR"
