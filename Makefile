# Everything a newcomer needs: `make run` starts the server, `make test` proves it. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TESTS ?= tests
VERSION = $(shell $(BIN)/python -c 'import watchword; print(watchword.__version__)')
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(max(2, os.cpu_count() or 2))')

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/bootstrap.txt requirements/dev.txt pyproject.toml tools/make_env.sh
	@PYTHON=$(PYTHON) VENV=$(VENV) bash tools/make_env.sh
	@touch $@

.PHONY: env
env: $(STAMP) ## create .venv with everything that development needs, from the locked, hashed list

.PHONY: run
run: $(STAMP) ## start the server on loopback with embedded defaults (Ctrl-C stops it)
	@exec $(BIN)/watchword serve $(RUN_ARGS)

.PHONY: test
test: $(STAMP) ## run all tests at quick counts
	@$(BIN)/python tools/run_tests.py -n $(WORKERS) --dist worksteal $(TESTS)

.PHONY: soak
soak: $(STAMP) ## run the same tests at the full counts of the fault list
	@$(BIN)/python tools/run_tests.py --soak -n $(WORKERS) --dist worksteal $(TESTS)
	@WATCHWORD_TEST_FRONTS=1 $(BIN)/python tools/run_tests.py -n $(WORKERS) --dist worksteal tests/edges/test_http_*.py tests/faults/test_http_A.py

.PHONY: check
check: $(STAMP) ## format, lint, types, import contracts, banned calls
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python tools/check_banned_calls.py

.PHONY: contracts
contracts: $(STAMP) ## the import contracts alone
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(STAMP) ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: bench
bench: $(STAMP) ## measure every hot path beside its limit; writes build/bench.json
	@$(BIN)/python -m bench

.PHONY: fuzz
fuzz: $(STAMP) ## feed any bytes to every codec, for a bounded time
	@$(BIN)/python tools/run_tests.py --fuzz -n $(WORKERS) tests/fuzz

.PHONY: tour
tour: $(STAMP) ## walk through everything that exists, narrated, in a throw-away directory
	@$(BIN)/python -m tools.tour

.PHONY: screenshots
screenshots: $(STAMP) ## take a picture of every page, both themes, phone and desktop, into build/screenshots
	@$(BIN)/python -m tools.screenshots

.PHONY: reference
reference: $(STAMP) ## write the generated pages of docs/reference anew
	@$(BIN)/python -m tools.reference

.PHONY: docs
docs: $(STAMP) ## build the documentation's site in build/docs; warnings are errors
	@[ -f build/mermaid.js ] || $(BIN)/python tools/fetch_mermaid.py || true
	@$(BIN)/python -m tools.reference --check
	@$(BIN)/sphinx-build -W --keep-going -n -q -c docs -d build/doctrees . build/docs
	@echo "build/docs/docs/index.html"

.PHONY: lock
lock: $(STAMP) ## resolve the dependencies anew into requirements/*.txt (needs the network)
	@bash tools/lock.sh

.PHONY: man
man: $(STAMP) ## write the man pages anew from the commands' --help
	@$(BIN)/python -m tools.make_man

web/node_modules/.package-lock.json: web/package-lock.json
	@cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: web
web: web/node_modules/.package-lock.json ## check the pages' scripts, and build what is committed of them (needs Node.js 20)
	@cd web && npm run --silent check && npm run --silent build

.PHONY: dist
dist: $(STAMP) ## build the wheel, the source archive, their bill of materials and checksums into dist/
	@rm -rf dist && $(BIN)/python -m hatchling build -d dist >/dev/null
	@$(BIN)/python -m tools.make_sbom >dist/watchword-$(VERSION).cdx.json
	@cd dist && sha256sum * >SHA256SUMS && cat SHA256SUMS

.PHONY: clean
clean: ## remove what make created, except data (./watchword-data)
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
