"""How every command ends: one clear line (or one JSON object) on standard error and an exit code, never a traceback."""

import os
import sys
import traceback
from typing import Any, Final, cast

from watchword.cli.exit_codes import EXIT_CODES, SENTENCES, ExitCode
from watchword.cli.output import NAME, print_json, safe
from watchword.errors import ErrorCode, TooManyError, WatchwordError

DEBUG_VARIABLE: Final = "WATCHWORD_DEBUG"
_TRACE_SIZE: Final = 6
_MANY: Final = 90
"""So many seconds are still said in seconds, so many minutes in minutes."""


def fail(error: WatchwordError, *, as_json: bool) -> ExitCode:
    """Tell an error of ours."""
    lines = (error.detail or SENTENCES[error.code]).splitlines()
    extra = _problems(error, lines)
    if isinstance(error, TooManyError):
        lines = [f"too many attempts; try again in {_said(error.retry_after)}"]
        extra["retry_after"] = error.retry_after
    request_id = _request_id(error)
    if request_id is not None:
        extra["request_id"] = request_id
    _tell(error.code, lines, as_json=as_json, name_request=_is_looked_up(error), **extra)
    return EXIT_CODES[error.code]


def _said(seconds: int) -> str:
    """A wait in words, rounded up: who comes then does not come too early."""
    for unit, size in (("hour", 3600), ("minute", 60)):
        if seconds > _MANY * size // 60:
            count = -(-seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds} second{'s' if seconds > 1 else ''}"


def _request_id(error: BaseException | None) -> str | None:
    """The server's, of this error or of the one that it was told for; an operator finds the reason by it."""
    while error is not None:
        if isinstance(error, WatchwordError) and error.request_id is not None:
            return error.request_id
        error = error.__context__
    return None


def _is_looked_up(error: WatchwordError) -> bool:
    """Whether the log may say more of `error` than was said: an operator has been told all but what our faults are."""
    return not error.to_operator or error.code is ErrorCode.INTERNAL


def _problems(error: WatchwordError, lines: list[str]) -> dict[str, Any]:
    """Each by itself: of a configuration with its key and place, of anything else as text."""
    settings = getattr(error, "problems", None)
    if settings is not None:
        return {
            "problems": [{"key": each.key, "from": each.place, "detail": each.detail} for each in settings]
        }
    return {"problems": lines} if len(lines) > 1 else {}


def fail_usage(text: str, *, as_json: bool) -> ExitCode:
    """Tell that the arguments are not understood."""
    _tell(ErrorCode.MALFORMED, text.splitlines() or ["usage"], as_json=as_json)
    return ExitCode.USAGE


def fail_internal(error: BaseException, *, as_json: bool) -> ExitCode:
    """Tell that we are at fault; what happened exactly is shown only to whoever asks with WATCHWORD_DEBUG=1."""
    from watchword.core.entropy import SystemEntropy  # seldom

    try:
        trace = f"err_{SystemEntropy().bytes(_TRACE_SIZE).hex()}"
    except WatchwordError:
        trace = "err_without_randomness"
    if os.environ.get(DEBUG_VARIABLE) == "1":
        sys.stderr.write(f"{trace}:\n{''.join(traceback.format_exception(error))}")
    _tell(
        ErrorCode.INTERNAL,
        [f"internal error ({trace}); run again with {DEBUG_VARIABLE}=1 to see more"],
        as_json=as_json,
        trace=trace,
    )
    return ExitCode.INTERNAL


def _tell(
    code: ErrorCode, lines: list[str], *, as_json: bool, name_request: bool = True, **extra: Any
) -> None:
    if as_json:
        detail = "; ".join(lines)
        print_json({"error": {"code": code.value, "detail": detail, **extra}}, stream=sys.stderr)
        return
    for line in lines:
        sys.stderr.write(f"{NAME}: {safe(line)}\n")
    if name_request and "request_id" in extra:
        sys.stderr.write(f"{NAME}: request id {safe(extra['request_id'])}, for the server's operator\n")
    sys.stderr.flush()


def close_quietly() -> ExitCode:
    """Whoever read our output has gone: say nothing, also not when Python flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, cast("int", sys.stdout.fileno()))
    return ExitCode.PIPE_CLOSED
