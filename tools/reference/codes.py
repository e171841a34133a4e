"""The page of codes: what scripts and programs may rely on, from the tables that decide."""

from tools.reference.markdown import code, page, table

from watchword.cli.exit_codes import EXIT_CODES, SENTENCES, ExitCode
from watchword.errors import ErrorCode
from watchword.server.audit.model import AuditTag
from watchword.server.http.problem import INTERNAL_TITLE, KINDS

_INTRODUCTION = "All of these are contract: they are added to, never renamed and never given another meaning."
_ERRORS = """\
The `code` of a problem document, and of the `error` object that a command leaves with `--json`. Codes without an HTTP \
status belong to clients and commands, and never come over HTTP."""
_EXITS = {
    ExitCode.DONE: "Done; also a server that was told to stop.",
    ExitCode.REFUSED: "Refused: a wrong password, no such account, damaged data, a damaged trail.",
    ExitCode.USAGE: "Arguments that are not understood, or a configuration that permits no start.",
    ExitCode.UNREACHABLE: "No server answers, or it cannot serve now.",
    ExitCode.INTERNAL: "A fault of ours; `WATCHWORD_DEBUG=1` shows it.",
    ExitCode.INTERRUPTED: "Interrupted (Ctrl-C).",
    ExitCode.PIPE_CLOSED: "Whoever read the output has gone.",
}


def codes_page() -> str:
    return page(
        "Codes",
        [
            _INTRODUCTION,
            "",
            "## Exit codes",
            "",
            *table(("code", "meaning"), [(str(int(each)), _EXITS[each]) for each in ExitCode]),
            "## Error codes",
            "",
            _ERRORS,
            "",
            *table(("code", "HTTP status", "exit code", "what a command says"), map(_error, ErrorCode)),
            "## Audit tags",
            "",
            "The `tag` of an entry of the [audit trail](../protocol/audit.md): who, what it was about, what happened.",
            "",
            *table(("tag", "means"), [(code(tag.value), _words(tag.name)) for tag in AuditTag]),
        ],
    )


def _error(error: ErrorCode) -> tuple[str, str, str, str]:
    kind = KINDS[error]
    over_http = kind.title != INTERNAL_TITLE or error is ErrorCode.INTERNAL
    status = str(kind.status) if over_http else ""
    return code(error.value), status, str(int(EXIT_CODES[error])), SENTENCES[error]


def _words(name: str) -> str:
    return name.replace("_", " ").lower()
