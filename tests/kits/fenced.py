"""The fenced blocks of a Markdown page, and what each of them asks for.

The first word behind a fence is the language; what stands behind it is for the tests, and no renderer shows it:

    ```python title="app.py"     the block is a file of this name
    ```python title="app.py" append   its text goes to the end of that file
    ```console                   `$ ` begins a command; the lines below it are what it shows
    ```console background        the last command stays running; its lines are what it shows once it is ready
    ```console exit=1            the last command ends with this code, not with 0
    ```sh                        the block is a script that must end with 0; what it shows is not compared
    ```console norun             shown only

`...` in the expected lines stands for anything within a line, and for any lines where it stands alone. A line `^C`
stops what was started last in the background. Blocks of the languages in `SHOWN_ONLY` are never run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SHOWN_ONLY: Final = frozenset({"", "text", "mermaid", "json", "http"})
SCRIPTS: Final = frozenset({"sh", "shell", "bash"})
# What `set -e` does, for a script that is read by a shell which must go on.
_STOP_AT_FAILURE: Final = "trap 'failed=$?; trap - ERR; return $failed' ERR"
_FENCE: Final = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
_WORD: Final = re.compile(r'(?P<name>[a-z]+)(?:="(?P<quoted>[^"]*)"|=(?P<bare>\S+))?(?:\s+|$)')
_KNOWN: Final = frozenset({"title", "background", "exit", "norun", "append"})


class PageError(Exception):
    """A page whose blocks cannot be understood. The message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`line` is that of the opening fence, counted from 1."""

    line: int
    language: str
    text: str
    title: str | None = None
    append: bool = False
    background: bool = False
    norun: bool = False
    exit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`shows` are the expected lines, or None where the page shows none. The text `^C` stops what runs."""

    line: int
    text: str
    shows: tuple[str, ...] | None = None
    background: bool = False
    exit: int = 0


def blocks_of(page: str) -> Iterator[Block]:
    """Every fenced block, in order. Raises `PageError` on an open fence, or on a word that is none of ours."""
    lines = iter(enumerate(page.splitlines(), start=1))
    for number, line in lines:
        opened = _FENCE.fullmatch(line)
        if opened is not None:
            text = "".join(f"{inner}\n" for inner in _until(opened, lines, number))
            yield _block(number, opened["info"].strip(), text)


def _until(opened: re.Match[str], lines: Iterator[tuple[int, str]], number: int) -> Iterator[str]:
    indent, fence = len(opened["indent"]), opened["fence"]
    for _, line in lines:
        stripped = line.strip()
        if stripped.startswith(fence) and not stripped.strip(fence[0]):
            return
        yield line[min(indent, len(line) - len(line.lstrip(" "))) :]
    raise PageError(f"line {number}: the block is never closed")


def _block(number: int, info: str, text: str) -> Block:
    language, _, rest = info.partition(" ")
    words: dict[str, str] = {}
    while rest := rest.strip():
        word = _WORD.match(rest)
        if word is None or word["name"] not in _KNOWN:
            raise PageError(f"line {number}: {rest!r} is not one of {', '.join(sorted(_KNOWN))}")
        words[word["name"]] = word["quoted"] or word["bare"] or ""
        rest = rest[word.end() :]
    return Block(
        line=number,
        language=language,
        text=text,
        title=words.get("title"),
        append="append" in words,
        background="background" in words,
        norun="norun" in words or (language in SHOWN_ONLY and "title" not in words),
        exit=int(words.get("exit", "0")),
    )


def commands_of(block: Block) -> list[Command]:
    """What is typed, in order. Raises `PageError` where the block is no console and no script."""
    if block.language in SCRIPTS and not block.text.startswith("$ "):
        text = f"{_STOP_AT_FAILURE}\n{block.text}trap - ERR"
        return [Command(line=block.line + 1, text=text, exit=block.exit)]
    if block.language not in {"console", *SCRIPTS}:
        raise PageError(
            f"line {block.line}: a block of {block.language!r} needs title=, or norun: nothing tests it"
        )
    typed = list(_typed(block))
    if not typed:
        raise PageError(f"line {block.line}: no line begins with `$ `")
    last = typed[-1]
    typed[-1] = Command(
        line=last.line, text=last.text, shows=last.shows, background=block.background, exit=block.exit
    )
    return typed


def _typed(block: Block) -> Iterator[Command]:
    number, text, shows = 0, "", list[str]()
    for at, line in enumerate(block.text.splitlines(), start=block.line + 1):
        if text.endswith("\\\n"):
            text += _continued(line)
        elif line.startswith("$ ") or line == "^C":
            if text:
                yield Command(line=number, text=text, shows=tuple(shows) or None)
            number, text, shows = at, _continued(line.removeprefix("$ ")), []
        elif not text:
            raise PageError(f"line {at}: output stands before any command")
        else:
            shows.append(line)
    if text:
        yield Command(line=number, text=text, shows=tuple(shows) or None)


def _continued(line: str) -> str:
    return f"{line}\n" if line.endswith("\\") else line
