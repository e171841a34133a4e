#!/usr/bin/env bash
# Creates the virtual environment from the locked lists. Says what is missing in words, not in a traceback.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3} venv=${VENV:-.venv}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
say() { printf 'watchword: %s\n' "$*" >&2; }
run() { if ! "$@" >"$log" 2>&1; then cat "$log" >&2; say "this step failed: $*"; exit 1; fi; }

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "Python 3.11 or newer is needed; found: $("$python" --version 2>&1 || true). Set PYTHON=/path/to/python3."
    exit 1
fi
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
    rm -rf "$venv"
    if ! "$python" -m venv "$venv" >"$log" 2>&1; then
        cat "$log" >&2
        say "could not create $venv; on Debian and Ubuntu: apt-get install python3-venv"
        exit 1
    fi
fi
say "installing the environment into $venv"
if [ ! -x "$venv/bin/uv" ]; then
    run "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
fi
uv=("$venv/bin/uv" --quiet)
# The system's certificates, since a network may have a root of its own; and pip's own settings where uv has none.
if ! VIRTUAL_ENV=$PWD/$venv "${uv[@]}" --system-certs pip sync --require-hashes requirements/bootstrap.txt requirements/dev.txt >"$log" 2>&1; then
    tail -n 3 "$log" >&2
    say "uv did not get everything; trying with pip, which takes longer"
    run "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt -r requirements/dev.txt
fi
VIRTUAL_ENV=$PWD/$venv run "${uv[@]}" pip install --no-deps --no-build-isolation -e .
