import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from watchword.core.ids import RequestId
from watchword.server.logs import MAX_FIELD, configure_logs, get_log

NASTY = [
    "a\r\nb",
    "a\nb",
    "\u2028\u2029",
    "\x1b[31mred\x1b[0m",
    "\x9b31m",
    "\0",
    "x" * 1_000_000,
    "\U0001f600" * 5000,
    '{"a":"}',
    '"',
    "\\",
    "\x7f",
    "\u202e",
    "\0" * 2000,
    "\ud800",
    "é" * 1000,
    "a b=c",
    "",
]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Our handler on a stream of its own, and the logging of this process as it was afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("watchword")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    flags = logging.logThreads, logging.logProcesses, logging.logMultiprocessing
    found = io.StringIO()
    yield found
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = flags


@pytest.mark.parametrize("value", NASTY, ids=range(len(NASTY)))
def test_fault_N2_every_event_is_one_line_of_json(stream: io.StringIO, value: str):
    configure_logs(stream=stream, as_json=True)
    get_log("t").info("thing.done", text=value, number=5, **{value[:50] or "empty": 1})
    logging.getLogger("library").warning("says %s", value)
    lines = stream.getvalue().split("\n")
    assert (len(lines), lines[-1]) == (3, "")
    assert all(line.isascii() and line.isprintable() for line in lines[:2] if "\x7f" not in value)
    ours, library = map(json.loads, lines[:2])
    assert (ours["event"], ours["level"], ours["number"]) == ("thing.done", "info", 5)
    assert (library["event"], library["logger"], library["level"]) == ("library", "library", "warning")
    assert len(value) > MAX_FIELD // 12 or ours["text"] == value
    for field in (ours["text"], library["message"]):
        assert len(json.dumps(field)) <= MAX_FIELD + 2


@pytest.mark.parametrize("value", NASTY, ids=range(len(NASTY)))
def test_fault_N2_every_event_is_one_line_on_a_terminal(stream: io.StringIO, value: str):
    configure_logs(stream=stream, as_json=False)
    get_log("t").info("thing.done", text=value, last=1)
    text = stream.getvalue()
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{3} info    thing\.done text=[ -~]* last=1\n", text.replace("\x7f", "")
    )
    assert len(text) < MAX_FIELD + 100


def test_fields_keep_their_kinds(stream: io.StringIO):
    configure_logs(stream=stream, as_json=True)
    identity = RequestId(bytes(16))
    get_log("t").info("e", a=1, b=1.23456, c=True, d=None, e=identity, f=float("nan"))
    fields = json.loads(stream.getvalue())
    assert [fields[name] for name in "abcdef"] == [1, 1.235, True, None, str(identity), None]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["time"])


def test_of_an_exception_only_type_and_frames_are_written(stream: io.StringIO):
    configure_logs(stream=stream, as_json=True)
    canary = "canary-4711"

    def fails(secret: str) -> None:
        try:
            int(secret)
        except ValueError as error:
            raise KeyError(secret) from error

    try:
        fails(canary)
    except KeyError as error:
        get_log("t").fault("it.failed", error)
        logging.getLogger("library").exception("oh")
    assert canary not in stream.getvalue()
    for line in stream.getvalue().splitlines():
        written = json.loads(line)
        assert written["exception"] == "builtins.KeyError < builtins.ValueError"
        assert "test_logs.py" in written["frames"]


def test_levels_by_argument_and_environment(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch):
    configure_logs(stream=stream, as_json=True, level="warning")
    get_log("t").info("unseen")
    monkeypatch.setenv("WATCHWORD_LOG", "debug")
    configure_logs(stream=stream, as_json=True)
    get_log("t").debug("seen")
    logging.getLogger("library").info("unseen: libraries may show what callers sent")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["seen"]
