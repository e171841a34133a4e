"""Structured events on standard error: `log.info("session.ended", session=id)`.

One event is one line: JSON where a program reads, plain text on a terminal. The standard logging module is
underneath, so what libraries log comes out in the same form. Of an exception only its type and its frames are shown,
never its text or its locals: those may hold what a caller sent.
"""

import logging
import math
import os
import sys
import traceback
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quote
from typing import Any, Final, TextIO, TypeGuard

from watchword.core.clock import Instant, iso
from watchword.server.log_lines import LineWriter

MAX_FIELD: Final = 1024
"""Bytes of one field's value as written."""
MAX_FRAMES: Final = 20
LEVEL_VARIABLE: Final = "WATCHWORD_LOG"
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_ROOT: Final = "watchword"
_FIELDS: Final = "watchword_fields"
_WORST_ESCAPE: Final = 12  # one character beyond the basic plane, written as two \uXXXX


class Log:
    """Events of one part of the server. Values are text, numbers, booleans or None; ids are turned into text."""

    __slots__ = ("_logger",)

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(f"{_ROOT}.{name}")

    def debug(self, event: str, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields, None)

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields, None)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields, None)

    def error(self, event: str, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields, None)

    def fault(self, event: str, error: BaseException, **fields: Any) -> None:
        """An error event with the type and the frames of `error`."""
        self._write(logging.ERROR, event, fields, error)

    def _write(self, level: int, event: str, fields: dict[str, Any], error: BaseException | None) -> None:
        logger = self._logger
        if not logger.isEnabledFor(level):
            return
        # Made here, not by logger.log(): that walks the stack for a file name that no line shows.
        shown = (type(error), error, error.__traceback__) if error else None
        record = logging.LogRecord(logger.name, level, "", 0, event, None, shown)
        setattr(record, _FIELDS, fields)
        logger.handle(record)


def current_level() -> str:
    """The least level that is written, as `configure_logs` takes it."""
    return logging.getLevelName(logging.getLogger(_ROOT).getEffectiveLevel()).lower()


def get_log(name: str) -> Log:
    return Log(name)


def configure_logs(
    *, stream: TextIO | None = None, level: str | None = None, as_json: bool | None = None
) -> None:
    """Send every event of this process to `stream` (standard error), as JSON unless it is a terminal.

    `level` is debug, info, warning or error; by default WATCHWORD_LOG says, else info.
    """
    target = stream or sys.stderr
    handler = _LineHandler(target)
    in_json = as_json if as_json is not None else not target.isatty()
    handler.setFormatter(JSONFormatter() if in_json else LineFormatter())
    # What no line of ours shows need not be looked up for each (the standard library's own advice).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, JSONFormatter | LineFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # libraries: their chatter may show what callers sent
    logging.getLogger(_ROOT).setLevel(
        _LEVELS.get(level or os.environ.get(LEVEL_VARIABLE, "info"), logging.INFO)
    )


class _LineHandler(logging.Handler):
    """Writes lines, under the lock that `handle` holds; a stream that is stuck or gone ends nothing."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._lines = LineWriter(stream, self._dropped)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.write(self.format(record))
        except Exception:  # noqa: BLE001  # a line that cannot be written must not end the request it tells of
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the standard library's name
        """Nothing: the only place to say so is the one that does not take it."""

    def close(self) -> None:
        self._lines.close()
        super().close()

    def _dropped(self, count: int) -> str:
        record = logging.LogRecord(f"{_ROOT}.log", logging.WARNING, "", 0, "log.dropped", None, None)
        setattr(record, _FIELDS, {"count": count})
        return self.format(record)


class JSONFormatter(logging.Formatter):
    """One JSON object: time, level, event, logger, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        head = f'{{"time":"{_time_of(record)}","level":"{_lower(record.levelname)}","event":{_json_of(_event(record))}'
        fields = "".join(
            [f",{_name_of(name)}:{_json_of(value)}" for name, value in _all_fields(record).items()]
        )
        return f"{head}{fields}}}"


class LineFormatter(logging.Formatter):
    """For people: `12:00:00.123 info    http.request status=200 …`."""

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {_bare(name)}={_text_of(value)}" for name, value in _all_fields(record).items())
        return f"{_time_of(record)[11:23]} {_lower(record.levelname):7} {_text_of(_event(record))}{fields}"


@lru_cache(maxsize=16)
def _lower(level: str) -> str:
    return level.lower()


def _event(record: logging.LogRecord) -> str:
    return str(record.msg) if hasattr(record, _FIELDS) else "library"


def _all_fields(record: logging.LogRecord) -> dict[str, Any]:
    ours: dict[str, Any] | None = getattr(record, _FIELDS, None)
    fields = {"logger": record.name, "message": record.getMessage()} if ours is None else ours
    if _is_exception(record.exc_info):
        return {**fields, **_describe(record.exc_info[1])}
    return fields


def _is_exception(info: Any) -> TypeGuard[tuple[type[BaseException], BaseException, Any]]:
    return bool(info) and isinstance(info[1], BaseException)


def _describe(error: BaseException) -> dict[str, str]:
    """Type and frames of `error` and of what caused it."""
    kinds: list[str] = []
    frames: list[str] = []
    link: BaseException | None = error
    while link is not None and len(kinds) < MAX_FRAMES:
        kinds.append(f"{type(link).__module__}.{type(link).__qualname__}")
        frames += _frames(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return {"exception": " < ".join(kinds), "frames": " < ".join(frames[:MAX_FRAMES])}


def _frames(error: BaseException) -> list[str]:
    """Innermost first: `file:line function`, files by their last two parts."""
    found = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), lookup_lines=False)
    return [
        f"{'/'.join(frame.filename.split('/')[-2:])}:{frame.lineno} {frame.name}" for frame in reversed(found)
    ]


def _time_of(record: logging.LogRecord) -> str:
    seconds, milliseconds = divmod(int(record.created * 1000), 1000)
    return f"{_second_of(seconds)}{milliseconds:03d}Z"


@lru_cache(maxsize=2)
def _second_of(seconds: int) -> str:
    return iso(Instant(seconds * 1000)).removesuffix("000Z")


@lru_cache(maxsize=1024)
def _name_of(name: str) -> str:
    return _json_of(name)


def _json_of(value: Any) -> str:
    """`value` in ASCII: everything a terminal or a line reader would obey leaves as an escape."""
    kind = type(value)
    if kind is str:
        text: str = value
    elif kind is float:
        return f"{value:.3f}" if math.isfinite(value) else "null"
    elif kind is int:
        return str(value)
    elif value is None or kind is bool:
        return "null" if value is None else "true" if value else "false"
    else:
        text = str(value)
    written = _quote(text if len(text) <= MAX_FIELD else text[:MAX_FIELD])
    return written if len(written) <= MAX_FIELD else _quote(text[: MAX_FIELD // _WORST_ESCAPE - 1] + "...")


def _text_of(value: Any) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    plain = text.isascii() and text.isprintable() and not set(text) & {" ", "=", '"'}
    return text if plain and len(text) <= MAX_FIELD else _json_of(text)


def _bare(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else _json_of(name)
