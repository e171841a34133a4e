"""The TypeScript modules of the pages, run under Node as they stand: bundled once, asked for everything at once."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

from tests.kits.process import clean_environment
from tests.kits.toolchains import WEB, web_packages

from watchword.testing import components

_VECTORS: Final = Path(__file__).parents[1] / "vectors"
_LIMIT_SECONDS: Final = 240


def run_modules(asked: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What `web/test/modules.ts` prints when it is given `asked`. `folder` takes the bundle."""
    bundle, question = bundled("modules.ts", folder, "--platform=node", "--format=esm"), folder / "asked.json"
    question.write_text(json.dumps(asked))
    node = components.require("node")
    answer: dict[str, Any] = json.loads(_run(str(node), str(bundle), str(_VECTORS), str(question)))
    return answer


def bundled(source: str, folder: Path, *options: str) -> Path:
    """One script of `web/test/` with all that it imports, written into `folder`."""
    bundle = folder / source.replace(".ts", ".mjs")
    esbuild = str(web_packages() / ".bin/esbuild")
    _run(esbuild, f"test/{source}", "--bundle", "--log-level=warning", f"--outfile={bundle}", *options)
    return bundle


def _run(*command: str) -> str:
    done = subprocess.run(
        command,
        cwd=WEB,
        env=clean_environment({}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LIMIT_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
