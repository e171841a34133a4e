"""Reads a page of the documentation as a newcomer does: makes its files, types its commands, compares what is shown.

`follow(page, folder, environ)` takes the fenced blocks in order; `tests/kits/fenced.py` says what each may ask for.
What starts in the background keeps its terminal, and all later commands are typed in a new one that has only the
environment the page began with, as in front of a reader: a page that forgets an `export` there fails.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.kits.fenced import Block, Command, blocks_of, commands_of
from tests.kits.screen import LIMIT_SECONDS, Screen
from tests.kits.shown import matches


@dataclass(kw_only=True)
class Followed:
    """What was done with a page."""

    files: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    shown_only: int = 0
    background: list[str] = field(default_factory=list)
    """What stood in the terminal of each command that stayed running, at its end."""


def follow(
    page: Path,
    folder: Path,
    environ: Mapping[str, str],
    *,
    replace: Mapping[str, str] | None = None,
    answers: Mapping[str, str] | None = None,
    seconds: float = LIMIT_SECONDS,
) -> Followed:
    """Follow `page` in `folder`, which is empty or holds what the page takes for granted.

    `environ` is all that the shells have. `replace` changes texts of the page before anything is done, such as ports
    that a test cannot have. `answers` are typed at prompts. `seconds` is the most that a command may take.
    Raises `PageError` for a page that cannot be understood, `AssertionError` naming the line where it does not hold.
    """
    text = page.read_text()
    for old, new in (replace or {}).items():
        text = text.replace(old, new)
    with _Reader(page, folder, environ, dict(answers or {}), seconds) as reader:
        for block in blocks_of(text):
            reader.take(block)
        return reader.finish()


class _Reader:
    def __init__(
        self, page: Path, folder: Path, environ: Mapping[str, str], answers: dict[str, str], seconds: float
    ) -> None:
        self._page, self._folder, self._environ = page, folder, environ
        self._answers, self._seconds = answers, seconds
        self._screens = contextlib.ExitStack()
        self._running: list[Screen] = []
        self._screen: Screen | None = None
        self._done = Followed()

    def take(self, block: Block) -> None:
        if block.norun:
            self._done.shown_only += 1
        elif block.title is not None:
            self._write(block.title, block.text, append=block.append)
        else:
            for command in commands_of(block):
                self._type(command)

    def finish(self) -> Followed:
        while self._running:
            self._stop()
        return self._done

    def _write(self, title: str, text: str, *, append: bool) -> None:
        path = (self._folder / title).resolve()
        assert path.is_relative_to(self._folder.resolve()), f"{self._page.name}: {title} lies outside"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if append else "w") as file:
            file.write(text)
        self._done.files.append(title)

    def _type(self, command: Command) -> None:
        self._done.commands.append(command.text)
        if command.text == "^C":
            self._stop()
            return
        for running in self._running:
            running.drain()
        if self._screen is None:
            self._screen = self._screens.enter_context(Screen(self._folder, self._environ, self._answers))
        script = self._folder.with_name(f"{self._folder.name}.command{len(self._done.commands)}")
        script.write_text(f"{command.text}\n")
        where = f"{self._page.name}, line {command.line}: {command.text}"
        try:
            self._run(self._screen, script, command)
        except AssertionError as error:
            raise AssertionError(f"{where}\n{error}\n{self._others()}") from None

    def _run(self, screen: Screen, script: Path, command: Command) -> None:
        if command.background:
            assert command.shows, "it stays running: the page must show what it says once it is ready"
            screen.begin(script)
            screen.wait_for(command.shows, seconds=self._seconds)
            self._running.append(screen)
            self._screen = None
            return
        code = screen.run(script, seconds=self._seconds)
        assert code == command.exit, f"ended with {code}, not {command.exit}:\n{screen.since}"
        if command.shows is not None:
            wanted = "\n".join(command.shows)
            assert matches(command.shows, screen.since), (
                f"the page shows:\n{wanted}\nand it was:\n{screen.since}"
            )

    def _stop(self) -> None:
        assert self._running, f"{self._page.name}: nothing runs that ^C could stop"
        screen = self._running.pop()
        screen.interrupt()
        self._done.background.append(screen.shown)

    def _others(self) -> str:
        return "".join(f"-- beside it ran:\n{_drained(screen)}\n" for screen in self._running)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._screens.close()


def _drained(screen: Screen) -> str:
    screen.drain()
    return screen.shown
