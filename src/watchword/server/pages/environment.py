"""Templates. Jinja is imported when the first page is asked for: a server that serves none does not carry it."""

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from watchword.server.pages.catalogue import Texts
from watchword.server.pages.moments import clock_of, date_of, moment_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(template: str, texts: Texts, **values: Any) -> str:
    """The page `template`, in the language of `texts`. Every value is escaped; a name that is missing is an error."""
    return _environment().get_template(template).render({**_words(texts), **values})


def load_template(template: str) -> None:
    """Read and compile `template`, and what it is made of."""
    _environment().get_template(template)


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415  # see above

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        cache_size=-1,  # each is compiled once
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _words(texts: Texts) -> Mapping[str, Any]:
    """What templates say things with."""
    return {
        "language": texts.language,
        "t": _translator(texts),
        "moment": functools.partial(moment_of, texts),
        "date": functools.partial(date_of, texts),
        "iso": clock_of,
        "data_block": _data_block,
    }


def _translator(texts: Texts) -> "Callable[..., Markup]":
    from markupsafe import Markup, escape  # noqa: PLC0415  # comes with Jinja

    def translate(key: str, **values: Any) -> Markup:
        """A sentence. What fills it is escaped, unless it is markup of the template's own."""
        return Markup(escape(texts.pattern(key, values.get("count")))).format(**values)  # noqa: S704  # escaped

    return translate


def _data_block(value: Any) -> "Markup":
    """JSON for a data block of the page: nothing in it can end the block, or begin markup."""
    from markupsafe import Markup  # noqa: PLC0415  # comes with Jinja

    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  # no character is left that means anything in HTML
