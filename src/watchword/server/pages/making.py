"""From a template and its values to an answer: the reader's language, what every page has, and its headers."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from watchword.errors import ErrorCode, TooManyError, WatchwordError
from watchword.server.accounts.model import RegistrationMode
from watchword.server.http.endpoint import Request
from watchword.server.http.problem import KINDS
from watchword.server.http.reply import Reply
from watchword.server.pages.assets import Assets
from watchword.server.pages.browsers import name_device
from watchword.server.pages.catalogue import LANGUAGES, Texts, texts_of
from watchword.server.pages.environment import load_template, render
from watchword.server.pages.languages import choose_language
from watchword.server.pages.moments import said_wait

_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "login": ("problem", "progress", "script"),
    "register": ("problem", "progress", "script", "reason", "name", "recovery"),
    "password": ("problem", "progress", "script", "reason"),
}
"""What the script of a page may have to say; `site.show` and `site.hide` are always there."""
_ALWAYS: Final = ("site.show", "site.hide")
_INTERNAL: Final = "internal"
_CONFLICT: Final = "conflict"
"""Says as well what is the matter where a script would have to begin again."""
_SERVER_FAULT: Final = 500
_ID: Final = "{request_id}"
"""Stands for a request's id while a page is rendered that is kept for other requests."""
_MOST_KEPT: Final = 256
"""Pages of errors, 3 KB each."""
_PAGES: Final[Mapping[ErrorCode, str]] = {ErrorCode.MISDIRECTED: "misdirected"}
"""Errors that have a page of their own; all others share one."""


def texts_for(request: Request) -> Texts:
    """The sentences in the language that this reader wants most."""
    return texts_of(choose_language(request.headers.get("accept-language")))


class PageMaker:
    """Makes every page there is."""

    def __init__(self, *, assets: Assets, origin: str, registration: RegistrationMode) -> None:
        self.origin = origin
        self.registration = registration
        self.assets = assets
        self._host = urlsplit(origin).netloc
        self._problems: dict[tuple[object, ...], list[str]] = {}

    def make(self, request: Request, page: str, *, status: int = 200, **values: Any) -> Reply:
        """The template of `page`. `facts` among the values go to its script."""
        texts = texts_for(request)
        facts: Mapping[str, Any] | None = values.pop("facts", None)
        if facts is not None:
            facts = {**facts, "device": name_device(request.context.user_agent)}
        return _answer(self._render(texts, page, status=status, facts=facts, **values), status, texts)

    def _render(
        self, texts: Texts, page: str, *, facts: Mapping[str, Any] | None = None, **values: Any
    ) -> str:
        return render(
            f"{page}.html",
            texts,
            page=page,
            assets=self.assets,
            origin=self.origin,
            host=self._host,
            script=f"{page}.js" if facts is not None else None,
            facts=facts,
            said=_said(texts, page) if facts is not None else None,
            **values,
        )

    def facts(self, *, return_path: str) -> Mapping[str, Any]:
        """What a page's script is told: `Facts` in `web/src/pages/page.ts`. `make` adds what the browser is called."""
        return {"worker": self.assets.url("worker.js"), "origin": self.origin, "returnPath": return_path}

    def problem(self, request: Request, error: WatchwordError) -> Reply:
        """The page for `error`. Nothing of the error's own text is shown: it is in English, and for programs."""
        texts, kind, code = texts_for(request), KINDS[error.code], error.code.value
        if f"error.{code}.title" not in texts.entries:
            code = _CONFLICT if kind.status < _SERVER_FAULT else _INTERNAL
        page = _PAGES.get(error.code, "problem")
        wait = None
        if isinstance(error, TooManyError) and not error.lasting:
            wait = said_wait(error.retry_after)
        around = self._around_id(texts, page, kind.status, code, wait)
        return _answer(str(request.context.request_id).join(around), kind.status, texts)

    def _around_id(
        self, texts: Texts, page: str, status: int, code: str, wait: tuple[str, int] | None
    ) -> list[str]:
        """The page in the parts that its request's id stands between. Kept: whoever is refused costs no rendering."""
        key = (texts.language, page, status, code, wait)
        found = self._problems.get(key)
        if found is None:
            text = self._render(texts, page, status=status, code=code, wait=wait, request_id=_ID)
            if len(self._problems) >= _MOST_KEPT:
                self._problems.clear()
            found = self._problems[key] = text.split(_ID)
        return found


def load_problems() -> None:
    """Read what the pages of errors are made of. Takes 0.15 s the first time: Jinja, the templates, the texts."""
    for page in ("base", "parts", "problem", *_PAGES.values()):
        load_template(f"{page}.html")
    for language in LANGUAGES:
        texts_of(language)


def _answer(text: str, status: int, texts: Texts) -> Reply:
    return Reply.html(text, status, headers={"content-language": texts.language, "vary": "accept-language"})


def _said(texts: Texts, page: str) -> Mapping[str, str]:
    return {**texts.under(*_TABLES.get(page, ())), **{key: texts.plain(key) for key in _ALWAYS}}
