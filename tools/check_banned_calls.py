"""What no line of ours may do, checked over the syntax trees of `src` and the text of every tracked file.

    python tools/check_banned_calls.py [DIRECTORY]

Exit code 1 with a line for each finding. Exceptions stand in `ALLOWED`, each with its reason; one that is no longer
needed is a finding too.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
CALLS: Final = {
    "time": {
        "datetime.now", "datetime.utcnow", "datetime.today", "datetime.datetime.now", "datetime.datetime.utcnow",
        "datetime.datetime.today", "date.today", "datetime.date.today", "time.time", "time.time_ns",
    },
    "randomness": {"os.urandom", "os.getrandom", "ssl.RAND_bytes"},
    "code": {"eval", "exec", "compile", "__import__"},
    "process": {"os.system", "os.popen", "os.fork", "os.forkpty", "pty.spawn"},
    "print": {"print"},
    "TLS": {"ssl._create_unverified_context"},
}  # fmt: skip
IMPORTS: Final = {
    "randomness": {"secrets", "random", "uuid"},
    "code": {"pickle", "cPickle", "marshal", "shelve", "dill"},
    "process": {"subprocess", "multiprocessing", "pty"},
}
ALLOWED: Final = {
    ("src/watchword/core/clock.py", "time"): "the one place that asks what time it is",
    ("src/watchword/core/entropy.py", "randomness"): "the one place that asks for random bytes",
    ("src/watchword/testing/databases.py", "process"): "starts PostgreSQL for tests",
    ("src/watchword/testing/redis.py", "process"): "starts Redis for tests",
    (
        "src/watchword/server/http/fronts/child.py",
        "process",
    ): "starts fronts: our own interpreter, our own code",
    ("src/watchword/server/app.py", "print"): "the banner, for the person at the terminal",
    ("src/watchword/client/trust.py", "TLS"): "fetches a root that is then judged by its fingerprint",
    ("src/watchword/middleware/fetch.py", "TLS"): "a pin decides instead, before anything is sent",
}
HAZMAT: Final = "cryptography.hazmat"
ENCODINGS: Final = "cryptography.hazmat.primitives.serialization"
"""The one part of hazmat that holds no primitive."""
SECRETS: Final = re.compile(
    r"(?:^|_)(?:secret|token|mac|hmac|digest|password|passphrase|signature|verifier|proof|code|cookie|pin)s?$"
)
CONSTANT: Final = re.compile(r"_*[A-Z][A-Z0-9_]*")
SQL: Final = re.compile(
    r"\s*(?:select|insert\s+into|update|delete\s+from|create|alter|drop|with|pragma)\b", re.IGNORECASE
)
MARK: Final = re.compile(r"#.*\b(compare|sql): \S")
"""`# compare: why` for what is no secret or takes constant time by itself; `# sql: why` for text of our own."""
TEXT: Final = {
    "machine path": re.compile(r"(?<![\w.$])/(?:wor[k]|tm[p]|roo[t]|home/\w+)/"),
    "package index": re.compile(
        r"(?<!no-emit-)inde[x]-url|(?<=[\w.-])/simpl[e]/|artifactor[y]|\bnexu[s]\.|devp[i]|registr[y]\s*=\s*[\"']?http"
    ),
}
LOCKED_URL: Final = re.compile(r"https?://")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


class Visitor(ast.NodeVisitor):
    """Collects what one module does; names are resolved through its own imports."""

    def __init__(self, path: str, lines: list[str]) -> None:
        self._path = path
        self._lines = lines
        self._names: dict[str, str] = {}
        self.found: list[Finding] = []

    def _find(self, node: ast.AST, rule: str, text: str) -> None:
        self.found.append(Finding(self._path, getattr(node, "lineno", 0), rule, text))

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            self._names[name.asname or name.name.split(".")[0]] = (
                name.asname and name.name
            ) or name.name.split(".")[0]
            self._check_import(node, name.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for name in node.names:
            full = f"{node.module}.{name.name}"
            self._names[name.asname or name.name] = full
            self._check_import(node, full)
            self._check_call(node, full)

    def _check_import(self, node: ast.AST, name: str) -> None:
        for rule, modules in IMPORTS.items():
            if name.split(".", maxsplit=1)[0] in modules:
                self._find(node, rule, f"import of {name}")
        outside = not self._path.startswith("src/watchword/crypto/")
        if outside and name.startswith(HAZMAT) and not name.startswith(ENCODINGS):
            self._find(node, "primitives", f"{name} outside of watchword.crypto")

    def visit_Call(self, node: ast.Call) -> None:
        self._check_call(node, self._resolve(node.func))
        for keyword in node.keywords:
            if keyword.arg in {"verify", "verify_signature"} and _is_false(keyword.value):
                self._find(node, "TLS", f"{keyword.arg}=False")
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "join"}:
            self._check_sql(node, node.func.value, [])
        self.generic_visit(node)

    def _check_call(self, node: ast.AST, name: str) -> None:
        for rule, calls in CALLS.items():
            if name in calls:
                self._find(node, rule, name)
        if name.startswith(("os.exec", "os.spawn", "os.posix_spawn")):
            self._find(node, "process", name)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self._resolve(node) == "ssl.CERT_NONE":
            self._find(node, "TLS", "ssl.CERT_NONE")
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if (
                isinstance(target, ast.Attribute)
                and target.attr == "check_hostname"
                and _is_false(node.value)
            ):
                self._find(node, "TLS", "check_hostname = False")
        self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        self._find(node, "assert", "a check that `python -O` leaves out: raise an error")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        if any(isinstance(operator, ast.Eq | ast.NotEq) for operator in node.ops) and not any(
            map(_is_plain, sides)
        ):
            named = [name for name in map(_last_name, sides) if SECRETS.search(name.lower())]
            if named and not self._marked(node):
                self._find(
                    node, "comparison", f"{named[0]}: use hmac.compare_digest (or mark `# compare: why`)"
                )
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        values = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        if node.values:
            self._check_sql(node, node.values[0], values)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Mod | ast.Add):
            self._check_sql(node, node.left, [node.right])
        self.generic_visit(node)

    def _check_sql(self, node: ast.AST, start: ast.expr, values: list[ast.expr]) -> None:
        """SQL text may take in constants of ours alone: names in capitals, or other literals."""
        begins = isinstance(start, ast.Constant) and isinstance(start.value, str) and SQL.match(start.value)
        constant = values and all(_is_constant(value) for value in values)
        if begins and not constant and not self._marked(node):
            self._find(node, "sql", "text is put into SQL: use parameters (or mark `# sql: why`)")

    def _marked(self, node: ast.AST) -> bool:
        first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
        return any(MARK.search(line) for line in self._lines[first - 1 : last])

    def _resolve(self, node: ast.expr) -> str:
        """The dotted name of what is called, through the module's imports; empty for what has none."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self._resolve(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _is_plain(node: ast.expr) -> bool:
    """Whether a side of a comparison is a literal, a count, or a constant: nothing that somebody could guess at."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in {"len", "type", "sum"}
    return isinstance(node, ast.Constant) or CONSTANT.fullmatch(_last_name(node)) is not None


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        return all(_is_constant(part.value) for part in node.values if isinstance(part, ast.FormattedValue))
    return isinstance(node, ast.Constant) or CONSTANT.fullmatch(_last_name(node)) is not None


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def check_module(path: str, text: str) -> list[Finding]:
    """Findings in one Python file of `src`, exceptions not yet taken out."""
    visitor = Visitor(path, text.splitlines())
    visitor.visit(ast.parse(text, path))
    return visitor.found


def check_text(path: str, text: str) -> Iterator[Finding]:
    """Findings in the text of any tracked file: nothing of one machine or one network belongs into it."""
    for number, line in enumerate(text.splitlines(), 1):
        for rule, pattern in TEXT.items():
            if found := pattern.search(line):
                yield Finding(path, number, rule, found[0])
        if path.startswith("requirements/") and LOCKED_URL.search(line):
            yield Finding(path, number, "package index", "an address in a locked list")


def check_tree(root: Path, files: Iterable[str]) -> list[Finding]:
    """All findings under `root`, after the exceptions; exceptions without use are findings."""
    found: list[Finding] = []
    for name in files:
        try:
            text = (root / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        found += check_text(name, text)
        if name.startswith("src/") and name.endswith(".py"):
            found += check_module(name, text)
    used = {(one.path, one.rule) for one in found}
    stale = [
        Finding(path, 0, rule, "is allowed and not needed")
        for path, rule in ALLOWED
        if (path, rule) not in used
    ]
    return sorted([one for one in found if (one.path, one.rule) not in ALLOWED] + stale)


def tracked_files(root: Path) -> list[str]:
    """What git keeps, and what is new and not ignored. The clone may belong to another user than we run as."""
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True)
    return sorted(set(listed.stdout.decode().split("\0")) - {""})


def main() -> int:
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    found = check_tree(root, tracked_files(root))
    for one in found:
        print(one)
    print(f"banned calls: {len(found)} findings" if found else "banned calls: none")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
