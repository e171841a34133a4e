"""Pages are followed as they stand: files made, commands typed, outputs compared; what does not hold is named."""

import os
import sys
from pathlib import Path

import pytest
from tests.kits.documented import Followed, follow
from tests.kits.fenced import PageError, blocks_of, commands_of
from tests.kits.shown import matches, on_screen


def followed(tmp_path: Path, page: str, **more: object) -> Followed:
    path, folder = tmp_path / "page.md", tmp_path / "room"
    path.write_text(page.replace("'''", "```"))
    folder.mkdir()
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return follow(path, folder, environ, **more)  # type: ignore[arg-type]  # whatever `follow` takes


def test_files_are_made_and_commands_keep_what_they_set(tmp_path: Path) -> None:
    page = """
Write this:

'''python title="in/say.py"
import os
print("hello", os.environ["WHO"], os.getcwd())
'''


At its end:

'''python title="in/say.py" append
print("bye")
'''

- Then:

  '''console
  $ cd in
  $ export WHO=anna
  $ python say.py
  hello anna ...in
  bye
  $ echo one; \\
      echo two
  one
  two
  '''

'''console exit=3
$ (exit 3)
'''
'''sh
test "$WHO" = anna
'''
'''json
{"shown": "only"}
'''
"""
    done = followed(tmp_path, page)
    assert done.files == ["in/say.py", "in/say.py"]
    assert len(done.commands) == 6
    assert done.shown_only == 1


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("'''console\n$ echo one\ntwo\n'''", "line 2: echo one"),
        ("text\n'''console\n$ true\n$ false\n'''", "line 4: false\nended with 1, not 0"),
        ("'''console exit=2\n$ true\n'''", "ended with 0, not 2"),
        ("'''sh\ntrue\nfalse\n'''", "ended with 1"),
        ("'''sh\nfalse\ntrue\n'''", "ended with 1"),
        ("'''console background\n$ echo ready; exit 4\nup\n'''", "the shell itself ended"),
        ("'''console background\n$ echo down\nup\n'''", "it ended with 0"),
        ("'''console background\n$ sleep 5\n'''", "must show what it says"),
        ("'''text title=\"../x\"\n'''", "lies outside"),
        ("'''console\n^C\n'''", "nothing runs"),
    ],
)
def test_a_page_that_does_not_hold_is_refused_by_its_line(tmp_path: Path, page: str, says: str) -> None:
    with pytest.raises(AssertionError) as caught:
        followed(tmp_path, page)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "page",
    [
        "'''console\n$ never closed\n",
        "'''console titel=\"x\"\n'''",
        "'''python\nprint('who runs this?')\n'''",
        "'''console\noutput without a command\n'''",
        "'''console\n'''",
    ],
)
def test_a_page_that_cannot_be_understood_is_refused(tmp_path: Path, page: str) -> None:
    with pytest.raises(PageError):
        followed(tmp_path, page)


def test_what_runs_in_the_background_keeps_its_terminal_and_is_stopped(tmp_path: Path) -> None:
    page = """
'''python title="app.py"
import os, pathlib, signal
try:
    pathlib.Path("pid").write_text(str(os.getpid()))
    print("serving on port 8000", os.environ["ONLY_THERE"], flush=True)
    signal.pause()
except KeyboardInterrupt:
    print("bye")
'''
'''console background
$ export ONLY_THERE=yes
$ python app.py
serving on port 8000 yes
'''
'''console
$ echo "[$ONLY_THERE]"
[]
$ cat pid
...
^C
'''
'''console
$ kill -0 "$(cat pid)" 2>/dev/null || echo gone
gone
'''
"""
    done = followed(tmp_path, page, replace={"8000": "8123"})
    assert "serving on port 8123 yes" in done.background[0]
    assert "bye" in done.background[0]


def test_prompts_are_answered_once_each_as_by_a_person(tmp_path: Path) -> None:
    page = """
'''python title="ask.py"
import getpass
first, second = getpass.getpass("Secret: "), getpass.getpass("Secret, again: ")
print(first, second, input("Name: "))
'''
'''console
$ python ask.py
Secret:
Secret, again:
Name: anna
word draw anna
'''
"""
    followed(tmp_path, page, answers={"Secret": "word", "Secret, again": "draw", "Name: ": "anna"})


def test_the_last_command_of_a_block_is_the_one_that_stays(tmp_path: Path) -> None:
    (block,) = blocks_of("```console background\n$ first\n$ second\nup\n```\n")
    assert [(command.background, command.shows) for command in commands_of(block)] == [
        (False, None),
        (True, ("up",)),
    ]


@pytest.mark.parametrize(
    ("wanted", "shown", "same"),
    [
        ("a...z", "abcz", True),
        ("a...z", "abc\nz", False),
        ("...\nz", "a\nb\nz", True),
        ("...\nz", "z", True),
        ("a\n...", "a", True),
        ("a", "a\nb", False),
        ("a.c", "abc", False),
        ("a", "a  \n", True),
    ],
)
def test_three_dots_stand_for_anything_within_a_line_or_for_lines(
    wanted: str, shown: str, same: bool
) -> None:
    assert matches(wanted.split("\n"), shown) is same


def test_what_is_written_over_is_not_seen() -> None:
    assert on_screen(b"waiting .\rwaiting ..\r          \rdone\r\n\x1b[1mbold\x1b[0m") == "done      \nbold"
