"""A browser's session: a cookie that opens pages, and the token that their forms carry (docs/protocol/browser.md).

Both are MACs under the key that signs a device in, over the session's id and seed. So nothing is stored for them, they
end with the session, and neither can be made of the other or of an access token. The API reads neither.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Final

from watchword.core.clock import SECOND, Instant
from watchword.core.encoding import decode_b64u_sized, encode_b64u
from watchword.core.ids import ID_SIZE, SessionId
from watchword.core.secret import Secret
from watchword.crypto.kdf import Label, derive, mac
from watchword.errors import ForbiddenError, KeyUnknownError, MalformedError, UnauthenticatedError
from watchword.server.http.endpoint import Request
from watchword.server.sessions.grants import Granted
from watchword.server.sessions.identify import Caller
from watchword.server.sessions.model import Session
from watchword.server.sessions.store import SessionStore

COOKIE: Final = "__Host-watchword"
"""The prefix makes browsers refuse it without `Secure`, with a domain, or from any other host."""
_NO_HEADERS: Final[Mapping[str, str]] = {}
_VALUE_PREFIX: Final = "wbs_"
_FORM_PREFIX: Final = "wbf_"
_TAG_SIZE: Final = 32
_ATTRIBUTES: Final = "Path=/; Secure; HttpOnly; SameSite=Lax"


class BrowserCookies:
    """Gives out sessions as cookies, and knows them again."""

    def __init__(self, *, store: SessionStore, find_sign_in_key: Callable[[int], Secret]) -> None:
        self._store = store
        self._find_sign_in_key = find_sign_in_key
        self._derived: dict[tuple[Label, int], Secret] = {}

    def headers_for(self, granted: Granted, now: Instant) -> Mapping[str, str]:
        """The headers that an answer has for what was granted."""
        session = granted.for_browser
        return _NO_HEADERS if session is None else {"set-cookie": self.set_cookie(session, now)}

    def set_cookie(self, session: Session, now: Instant) -> str:
        """The value of `set-cookie` for a session that has just been granted; it ends when the session does."""
        value = _VALUE_PREFIX + encode_b64u(session.id.value + self._tag(Label.BROWSER_COOKIE, session))
        seconds = max(0, min(session.expires_at, session.ends_at) - now) // SECOND
        return f"{COOKIE}={value}; {_ATTRIBUTES}; Max-Age={seconds}"

    @staticmethod
    def clear_cookie() -> str:
        """The value of `set-cookie` that makes a browser forget its session."""
        return f"{COOKIE}=; {_ATTRIBUTES}; Max-Age=0"

    def csrf_token(self, session: Session) -> str:
        """What a form of this session's pages carries: no other site can read it, and no other session has it."""
        return _FORM_PREFIX + encode_b64u(self._tag(Label.BROWSER_FORM, session))

    def check_csrf(self, session: Session, text: str) -> None:
        """Raise `ForbiddenError` unless `text` is the token of a form of this session."""
        if not hmac.compare_digest(self.csrf_token(session).encode(), text.encode()):
            raise ForbiddenError("this form belongs to another session; load the page again")

    async def identify(self, request: Request) -> Caller:
        """Who has sent the cookie. Raises `UnauthenticatedError` for every reason there is."""
        session_id, tag = _read(_find(request.headers.get("cookie") or ""))
        found = await self._store.find_with_account(session_id)
        if found is None:
            raise UnauthenticatedError("session_unknown")
        session, account = found
        if not hmac.compare_digest(tag, self._tag(Label.BROWSER_COOKIE, session)):
            raise UnauthenticatedError("cookie_forged")
        if not session.live(request.context.now) or not account.active:
            raise UnauthenticatedError("session_ended")
        return Caller(account=account, session=session)

    def _tag(self, label: Label, session: Session) -> bytes:
        key = self._derived.get((label, session.sign_in_version))
        if key is None:
            key = derive(self._sign_in_key(session.sign_in_version), label)
            self._derived[label, session.sign_in_version] = key
        return mac(key, session.id.value, session.seed)

    def _sign_in_key(self, version: int) -> Secret:
        """Of a key that is gone nothing can be known again: its sessions are as good as ended, and no fault of ours."""
        try:
            return self._find_sign_in_key(version)
        except KeyUnknownError:
            raise UnauthenticatedError("unknown_key") from None


def _find(header: str) -> str:
    """The value of our cookie in `Cookie`. Of two of that name one is somebody else's: neither is taken."""
    pairs = (pair.strip(" ").partition("=") for pair in header.split(";"))
    values = [value for name, _, value in pairs if name == COOKIE]
    if len(values) != 1:
        raise UnauthenticatedError("cookie_twice" if values else "no_cookie")
    return values[0]


def _read(value: str) -> tuple[SessionId, bytes]:
    try:
        data = decode_b64u_sized(value.removeprefix(_VALUE_PREFIX), ID_SIZE + _TAG_SIZE)
    except MalformedError:
        raise UnauthenticatedError("cookie_form") from None
    if not value.startswith(_VALUE_PREFIX):
        raise UnauthenticatedError("cookie_form")
    return SessionId(data[:ID_SIZE]), data[ID_SIZE:]
