"""What an application pays for importing the middleware: nothing that it does not need."""

import subprocess
import sys

import pytest

_FORBIDDEN = {
    "msgspec", "apsw", "asyncpg", "redis", "starlette", "fastapi", "uvicorn", "uvloop", "httptools", "httpx",
    "nacl", "bcrypt", "typer", "rich", "joserfc", "asyncio", "ssl", "http.client", "urllib.request", "watchword.server",
    "watchword.client", "watchword.cli", "watchword.testing", "watchword.protocol.messages",
    "watchword.crypto.passwords", "watchword.crypto.device_keys",
}  # fmt: skip


@pytest.mark.parametrize("module", ["watchword.middleware", "watchword.protocol.tokens"])
def test_importing_pulls_in_none_of_the_server_and_nothing_slow(module):
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    assert loaded & _FORBIDDEN == set()


def test_the_middleware_needs_cryptography_alone():
    """With every other distribution made impossible to import, it still refuses and admits."""
    code = """
import importlib.abc, sys
allowed = sys.stdlib_module_names | {"cryptography", "watchword", "_cffi_backend", "cffi"}
class Deny(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"not for applications: {name}")
sys.meta_path.insert(0, Deny())
import asyncio
from watchword.middleware import WatchwordMiddleware, require
sent = []
async def send(message): sent.append(message)
app = WatchwordMiddleware(None, issuer="https://id.example", audience="https://app.example")
scope = {"type": "http", "path": "/", "headers": []}
asyncio.run(app(scope, None, send))
require(level=1)
print(sent[0]["status"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=240)
    assert (done.stdout.strip(), done.stderr) == ("401", "")
