"""What a capability declares for each of its paths, and what its handler is given."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final, Literal

import msgspec

from watchword.core.encoding import decode_json
from watchword.errors import MalformedError
from watchword.server.context import RequestContext
from watchword.server.http.about import About
from watchword.server.http.form import decode_form
from watchword.server.http.headers import Headers
from watchword.server.http.reply import Reply

MAX_BODY: Final = 65_536
"""64 kB on authentication paths, which all of ours are for now."""
METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_PATH: Final = re.compile(r"/|(?:/(?:[A-Za-z0-9._~-]+|\{[a-z_]+\}))+")
_MAX_REASON: Final = 200
Limit = Literal["read", "asset", "sign_in", "register", "account", "other", "free"]
"""The limit that a request counts against; `free` is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that passed the door. `body` is the route's struct, `identity` what the app's `identify` returned.

    Its `repr` shows nothing that a caller sent, which may be secret.
    """

    context: RequestContext
    method: str = "GET"
    raw_path: bytes = field(default=b"", repr=False)
    """As it came, without query; nobody has looked whether it is one of ours."""
    headers: Headers
    authorization: str | None = field(default=None, repr=False)
    body: Any = field(default=None, repr=False)
    identity: Any = None
    path_parameters: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)


Handler = Callable[[Request], Awaitable[Reply]]
Identify = Callable[[Request], Awaitable[Any]]
"""From the headers of a request (`body` and `identity` are None) to who it is, else raises `UnauthenticatedError`."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method on one path.

    `path` may hold parameters as whole segments, `/api/sessions/{session}`. `body` is a msgspec struct that forbids
    unknown fields; without one, a body is refused. `query` names the parameters that may stand in the query string,
    each at most once; without any, a query string is refused. A `costly` handler waits its turn in `Admission`.
    `about` is what its documentation is made of; every route of the API has it.

    `limit` is what a request counts against where that does not follow from the rest (`server/door/classes`). With
    `for_devices` a device of the account may prove itself in a header, before anything else is looked at. What is
    `past_bans` may be asked for by whoever is banned too, a few times: a page to sign in by, and what it is made of.

    A `page` is for people: identity comes from the cookie, errors are pages, and a parameter of the query that it does
    not declare is not there. `form` is a msgspec struct of text fields, for a body that a page's form posts.
    """

    method: str
    path: str
    handler: Handler
    _: KW_ONLY
    body: type[msgspec.Struct] | None = None
    max_body: int = MAX_BODY
    auth: bool = False
    costly: bool = False
    query: frozenset[str] = frozenset()
    about: About | None = None
    page: bool = False
    form: type[msgspec.Struct] | None = None
    limit: Limit | None = None
    for_devices: bool = False
    past_bans: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS or not _PATH.fullmatch(self.path):
            raise ValueError(f"not a route: {self.method} {self.path}")
        if self.form is not None and (not self.page or self.body is not None):
            raise ValueError(f"{self.method} {self.path}: a form is for a page, and no other body beside it")
        read = self.body or self.form
        if read is not None and not read.__struct_config__.forbid_unknown_fields:
            raise ValueError(f"{read.__name__} accepts unknown fields")
        if read is not None and self.method == "GET":
            raise ValueError(f"GET {self.path} cannot have a body")

    @property
    def changes_state(self) -> bool:
        return self.method != "GET"

    @property
    def reads_body(self) -> bool:
        return self.body is not None or self.form is not None

    def decode(self, data: bytes) -> Any:
        """The struct in `data`. Raises `MalformedError`, `TooLargeError`."""
        if self.form is not None:
            return decode_form(data, self.form, max_size=self.max_body)
        if self.body is None:
            return None
        value = decode_json(data, max_size=self.max_body)
        try:
            return msgspec.convert(value, self.body, strict=True)
        except msgspec.ValidationError as error:
            raise MalformedError(_for_the_peer(str(error))) from None


def _for_the_peer(text: str) -> str:
    """A sentence about the caller's own input: cut, and without anything a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text[:_MAX_REASON])
