"""Pages as a browser asks for them, through the whole application, without a browser."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode

import httpx
from tests.kits.world import ORIGIN, Person, World

from watchword.core.ids import AccountId, SessionId

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0"
_VOID = frozenset({"br", "input", "link", "meta", "rect", "path", "circle"})


@dataclass(kw_only=True)
class Reader:
    """A browser: `cookie` is None where nobody is signed in."""

    world: World
    cookie: str | None = None
    language: str = "en"

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.world.call("GET", path, headers={**self._headers(), **headers})

    async def arrive(self, path: str) -> httpx.Response:
        """`get`, as a form or a page of ours leads there."""
        return await self.get(path, **{"sec-fetch-site": "same-origin"})

    async def post(self, path: str, form: Mapping[str, str]) -> httpx.Response:
        sent = {
            **self._headers(),
            "content-type": "application/x-www-form-urlencoded",
            "origin": ORIGIN,
            "sec-fetch-site": "same-origin",
        }
        return await self.world.call("POST", path, headers=sent, content=urlencode(form).encode())

    async def submit(self, path: str, **fields: str) -> httpx.Response:
        """Post a form as the account's page has it, with its token."""
        page = await self.get("/dashboard")
        token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]
        return await self.post(path, {"csrf": token, **fields})

    def _headers(self) -> dict[str, str]:
        headers = {"accept": "text/html,*/*;q=0.8", "accept-language": self.language, "user-agent": FIREFOX}
        return headers | ({"cookie": self.cookie} if self.cookie else {})


async def reader_of(world: World, person: Person, *, language: str = "en") -> Reader:
    """The browser in which `person`'s device is signed in."""
    live = await world.services.sessions.list_live(account_of(person), world.clock.now())
    mine = next(each for each in live if each.id == session_of(person))
    value = world.services.cookies.set_cookie(mine, world.clock.now())
    return Reader(world=world, cookie=value.partition(";")[0], language=language)


def account_of(person: Person) -> AccountId:
    return AccountId.parse(person.registered.account.id)


def session_of(person: Person) -> SessionId:
    return SessionId.parse(person.enrolled.grant.session.id)


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str | None = None) -> Iterator["Element"]:
        """This and all below it, in the order of the page."""
        if tag is None or self.tag == tag:
            yield self
        for child in self.children:
            yield from child.all(tag)

    def words(self) -> str:
        return " ".join([self.text, *(child.words() for child in self.children)])

    def __getitem__(self, name: str) -> str | None:
        return self.attributes.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self.attributes


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice"
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> ends <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].text += data


def parse(text: str) -> Element:
    """The page as a tree. What is opened must be closed, in order."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    assert len(builder.open) == 1, f"<{builder.open[-1].tag}> is not closed"
    return builder.root
