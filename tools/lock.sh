#!/usr/bin/env bash
# Resolves dependencies into locked lists with hashes; no index address is written into them.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
common=(--quiet --generate-hashes --universal --no-emit-index-url --no-header --python-version 3.11 --no-annotate)
"$uv" pip compile "${common[@]}" "$@" requirements/bootstrap.in -o requirements/bootstrap.txt
"$uv" pip compile "${common[@]}" "$@" requirements/build.in -o requirements/build.txt
"$uv" pip compile "${common[@]}" "$@" pyproject.toml --extra all --no-emit-package watchword -o requirements/server.txt
"$uv" pip compile "${common[@]}" "$@" pyproject.toml --extra all --group dev --no-emit-package watchword -o requirements/dev.txt
