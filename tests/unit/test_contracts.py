"""The import contracts hold, and each one is awake: a planted violation breaks it and no other contract by accident."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).with_name("lint-imports")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
PLANTED = [
    ("layers", "core/ids.py", "import watchword.crypto.aead"),
    ("layers", "errors.py", "import watchword.core.clock"),
    ("layers", "protocol/wire.py", "import watchword.server.context"),
    ("layers", "client/effects.py", "import watchword.server.context"),
    ("layers", "server/context.py", "import watchword.client.effects"),
    ("layers", "middleware/denial.py", "import watchword.client.effects"),
    ("layers", "server/context.py", "import watchword.cli.output"),
    ("testing", "server/app.py", "import watchword.testing"),
    ("protocols", "protocol/names/email.py", "import watchword.protocol.tokens"),
    ("protocols", "protocol/messages.py", "import watchword.protocol.envelope"),
    ("light", "protocol/tokens/claims.py", "import msgspec"),
    ("light", "middleware/denial.py", "import httpx"),
    ("light", "core/encoding.py", "import msgspec"),
    ("primitives", "server/context.py", "import cryptography.x509"),
    ("primitives", "client/effects.py", "import nacl.bindings"),
    ("adapters", "server/sessions/service.py", "import watchword.server.sessions.sql"),
    ("adapters", "server/http/app.py", "import watchword.server.db.sqlite.database"),
    ("adapters", "server/operator/service.py", "import watchword.server.db.postgres.database"),
    ("capabilities", "server/accounts/model.py", "import watchword.server.sessions.model"),
    ("capabilities", "server/sessions/model.py", "import watchword.server.tokens.service"),
    ("capabilities", "server/db/rows.py", "import watchword.server.audit.store"),
    ("capabilities", "server/devices/model.py", "import watchword.server.config"),
    ("events", "server/audit/model.py", "import watchword.server.db.rows"),
    ("edges", "server/sessions/service.py", "import watchword.server.http.reply"),
]


def lint(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--no-cache", "--no-logo", *arguments],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources and their contracts."""
    shutil.copytree(
        ROOT / "src" / "watchword", tmp_path / "src/watchword", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_tree_keeps_every_contract() -> None:
    found = lint(ROOT)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(("contract", "file", "line"), PLANTED)
def test_a_planted_import_breaks_the_contract(tree: Path, contract: str, file: str, line: str) -> None:
    planted = tree / "src/watchword" / file
    planted.write_text(f"{planted.read_text()}\n\ndef planted() -> None:\n    {line}\n")
    found = lint(tree, "--contract", contract)
    assert found.returncode == 1, found.stdout + found.stderr
    assert line.removeprefix("import ").split(".")[0] in found.stdout
    assert "BROKEN" in found.stdout


def test_a_capability_that_no_contract_places_is_refused(tree: Path) -> None:
    (tree / "src/watchword/server/newcomers").mkdir()
    (tree / "src/watchword/server/newcomers/__init__.py").write_text("")
    found = lint(tree, "--contract", "capabilities")
    assert found.returncode == 1
    assert "newcomers" in found.stdout


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract["id"] for contract in CONTRACTS} == {contract for contract, _, _ in PLANTED}
