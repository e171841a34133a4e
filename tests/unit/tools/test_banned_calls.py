"""Each rule finds what it bans, lets through what it does not, and the tree has nothing of it."""

import subprocess
import sys
from pathlib import Path

import pytest
from tools.check_banned_calls import ALLOWED, ROOT, check_module, check_text, check_tree

PLANTED = [
    ("time", "from datetime import datetime\ndatetime.now()"),
    ("time", "import datetime\ndatetime.datetime.utcnow()"),
    ("time", "import datetime as d\nd.date.today()"),
    ("time", "import time\ntime.time()"),
    ("time", "from time import time_ns as t\nt()"),
    ("randomness", "import secrets"),
    ("randomness", "from random import choice"),
    ("randomness", "import uuid"),
    ("randomness", "import os\nos.urandom(8)"),
    ("randomness", "from os import urandom"),
    ("code", "import pickle"),
    ("code", "from marshal import loads"),
    ("code", "eval('1')"),
    ("code", "exec('1')"),
    ("process", "import subprocess"),
    ("process", "import os\nos.system('true')"),
    ("process", "import os\nos.execv('/bin/true', [])"),
    ("print", "print('hello')"),
    ("assert", "assert 1 < 2"),
    ("TLS", "import httpx\nhttpx.get('https://x', verify=False)"),
    ("TLS", "import ssl\ncontext.verify_mode = ssl.CERT_NONE"),
    ("TLS", "context.check_hostname = False"),
    ("TLS", "import ssl\nssl._create_unverified_context()"),
    ("comparison", "if token == given: pass"),
    ("comparison", "if given != self.mac: pass"),
    ("comparison", "if row.password_digest == made: pass"),
    ("comparison", "if code() == given: pass"),
    ("comparison", "if a == client_secret: pass"),
    ("sql", "db(f'select a from b where c = {value}')"),
    ("sql", "db('delete from b where c = %s' % value)"),
    ("sql", "db('update b set c = ' + value)"),
    ("sql", "db('insert into b values ({})'.format(value))"),
    ("primitives", "from cryptography.hazmat.primitives.ciphers.aead import AESGCM"),
    ("primitives", "from cryptography.hazmat.primitives import hashes"),
]
FINE = [
    "import time\ntime.monotonic()",
    "import datetime\ndatetime.timedelta(1)",
    "entropy.bytes(8)",
    "table.print()",
    "import hmac\nhmac.compare_digest(token, given)",
    "if len(token) != SIZE: pass",
    "if password == '': pass",
    "if token.kind == 'access': pass",
    "if mac != other.mac: pass  # compare: both are public",
    "db(f'select {_COLUMNS} from b')",
    "db('select a from b where c = :value', {'value': value})",
    "db(f'pragma {name}')  # sql: our own names",
    "say(f'select one of {names}') if False else None  # sql: no SQL at all",
    "from cryptography.hazmat.primitives.serialization import Encoding",
    "from cryptography import x509",
]


@pytest.mark.parametrize(("rule", "text"), PLANTED)
def test_a_planted_line_is_found(rule: str, text: str) -> None:
    assert rule in {one.rule for one in check_module("src/watchword/planted.py", text)}


@pytest.mark.parametrize("text", FINE)
def test_what_is_not_banned_passes(text: str) -> None:
    assert check_module("src/watchword/planted.py", text) == []


def test_fault_C9_no_secret_is_compared_with_an_operator_in_the_tree() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        assert [one for one in check_module(name, path.read_text()) if one.rule == "comparison"] == []


@pytest.mark.parametrize(
    "line",
    [
        "see /" + "work/main",
        "open('/" + "tmp/x')",
        "/" + "root/.cache",
        "pip install --inde" + "x-url https://x",
        "https://mirror.example/" + "simple/",
        "regis" + "try=http://mirror",
    ],
)
def test_a_path_of_one_machine_or_an_index_is_found_in_any_file(line: str) -> None:
    assert len(list(check_text("docs/x.md", f"fine\n{line}\n"))) == 1


@pytest.mark.parametrize("line", ["/workers", "https://app.example/tmp", "a/work/b", "$HOME/work/x"])
def test_other_paths_pass(line: str) -> None:
    assert list(check_text("docs/x.md", line)) == []


def test_an_address_in_a_locked_list_is_found() -> None:
    assert len(list(check_text("requirements/x.txt", "a @ https://x.example/a.whl"))) == 1


def test_an_exception_without_use_is_a_finding(tmp_path: Path) -> None:
    assert {(one.path, one.rule) for one in check_tree(tmp_path, [])} == set(ALLOWED)


def test_the_tree_has_no_finding() -> None:
    done = subprocess.run(
        [sys.executable, "tools/check_banned_calls.py"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "banned calls: none\n")


def test_a_finding_fails_the_command(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("import pickle\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/check_banned_calls.py"), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "src/a.py:1: code: import of pickle" in done.stdout
