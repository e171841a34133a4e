"""The client for asyncio: the same methods as `Client`, awaited."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self, Unpack

import httpx

from watchword.client.apps import Apps, RequestOptions
from watchword.client.async_transport import AsyncTransport
from watchword.client.flows import api
from watchword.client.flows.account import NewAccount
from watchword.client.opening import ClientSettings, Trusting, find_server, make_session
from watchword.client.password_source import PasswordSource
from watchword.client.session import Registered
from watchword.client.vault import OpenVault, VaultFile
from watchword.protocol.keydocument import KeyDocument
from watchword.protocol.messages import AccountBody, SessionList, TokenAnswer, WhoAmI


class AsyncClient:
    """Use as an asynchronous context manager, on one loop; as many tasks as like may share it.

        async with AsyncClient.open(home="robot", password=Path("password")) as client:
            (await client.get("https://app.example/reports")).json()

    Methods, parameters and errors are those of `Client`. Stretching, files and a `password` function run in threads.
    Tasks that need a token at once share one renewal. What changes the session goes on to its end and is saved, also
    when the task that asked for it is cancelled; leaving the block waits for it.
    """

    def __init__(
        self,
        trusted: Trusting,
        home: Path | str,
        *,
        password: PasswordSource | None = None,
        username: str | None = None,
        settings: ClientSettings | None = None,
    ) -> None:
        """As `Client`: a client of the `trusted` server; `home` is the folder of the vault. `open` is for everyday use.

        With a `password` the client signs in by itself: it opens the vault, enrols this device as `username` where
        there is no vault yet, and renews the access token every ten minutes. A function or a file is read each time
        that it is needed and nothing is kept; a `Secret` stays in memory for as long as the client does.
        """
        chosen = settings or ClientSettings()
        self._session = make_session(trusted, home, password=password, username=username, settings=chosen)
        self._apps = Apps(self._session, max_answer=chosen.max_app_answer)
        self._transport = AsyncTransport(
            timeouts=chosen.timeouts, clock=chosen.clock, app_roots=chosen.app_roots()
        )

    @classmethod
    def open(
        cls,
        *,
        home: Path | str,
        password: PasswordSource,
        server: str | None = None,
        ca_file: Path | str | None = None,
        fingerprint: str | None = None,
        tls_ca: Path | str | None = None,
        username: str | None = None,
        settings: ClientSettings | None = None,
    ) -> Self:
        """The client of whoever's vault lies in `home`.

        Where there is none yet, `server`, `username` and one of `ca_file` and `fingerprint` are needed, once: this
        device is enrolled then. `tls_ca`: the roots of the server's TLS where another authority made its certificate,
        a PEM file or "system"; its keys stay under the root that is pinned.
        The work is done on entering the `async with` block.
        """
        return cls(
            lambda: find_server(home, server=server, ca_file=ca_file, fingerprint=fingerprint, tls_ca=tls_ca),
            home,
            password=password,
            username=username,
            settings=settings,
        )

    async def __aenter__(self) -> Self:
        try:
            await self._transport.run(self._session.begin())
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections. The session goes on: `log_out` ends it."""
        await self._transport.close()

    @property
    def file(self) -> VaultFile:
        """The vault on disk."""
        return self._session.file

    async def open_vault(self, password: PasswordSource | None = None) -> OpenVault:
        """Open the vault, with `password` from now on. Raises `WrongPasswordError`, `DamagedError`."""
        return await self._transport.run(self._session.open_vault(password))

    async def key_document(self) -> KeyDocument:
        """The server's current keys, verified under the pinned root."""
        return await self._transport.run(self._session.key_document())

    async def register(self, new: NewAccount, *, device_name: str | None = None) -> Registered:
        """Make the account and enrol this device. Raises `RefusedError`."""
        return await self._transport.run(self._session.register(new, device_name))

    async def log_in(
        self,
        identifier: str | None = None,
        password: PasswordSource | None = None,
        *,
        device_name: str | None = None,
        new_device: bool = False,
    ) -> AccountBody:
        """Log in on the device in the vault, or else enrol this one. Raises `RefusedError`.

        `new_device` forgets the device in the vault and writes a new one over it.
        """
        return await self._transport.run(
            self._session.log_in(identifier, password, device_name, new_device=new_device)
        )

    async def change_password(self, new: str, *, password: PasswordSource | None = None) -> None:
        """Change the password of the account and seal the vault with the new one. Every other session ends.

        Raises:
            RefusedError: the current `password` is wrong, or the account has changed meanwhile.
            WeakPasswordError: the new one is too short, common, or like the account's names.
        """
        await self._transport.run(self._session.change_password(new, password))

    async def log_out(self, *, everywhere: bool = False, session: str | None = None) -> None:
        """End this session, another one, or all. The device stays enrolled. Raises `NotFoundError`."""
        await self._transport.run(self._session.log_out(everywhere=everywhere, session=session))

    async def who_am_i(self) -> WhoAmI:
        """Account, device and session, as the server sees them."""
        return await self._transport.run(self._session.call(api.who_am_i))

    async def list_sessions(self) -> SessionList:
        """Where the account is signed in."""
        return await self._transport.run(self._session.call(api.list_sessions))

    async def token(self, url: str, *, scopes: Sequence[str] = ()) -> TokenAnswer:
        """A bearer token for the app at `url`: one at hand with at least 30 s to live, or a new one of ten minutes."""
        return await self._transport.run(self._apps.token(url, scopes))

    async def request(self, method: str, url: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        """Call an app with a token for its origin; its whole answer, whatever the status.

        https, or http on this machine. The token goes to that origin alone: a redirect elsewhere is the answer, and
        is not followed. GET and HEAD are repeated when the connection fails or the app is busy (429, 503); every
        method once with a fresh token, when the app says `invalid_token`. Raises `MalformedError` for a URL or a
        header that cannot be sent safely.
        """
        return await self._transport.run(self._apps.request(method, url, **options))

    async def get(self, url: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        return await self.request("GET", url, **options)

    async def head(self, url: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        return await self.request("HEAD", url, **options)

    async def post(self, url: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[RequestOptions]) -> httpx.Response:
        return await self.request("DELETE", url, **options)
