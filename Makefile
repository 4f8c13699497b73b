# Every target is one sentence in `make help`. PYTHON chooses the interpreter for the first set-up.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup run close lock

help: ## List every target.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

setup: ## Create .venv and install the pinned requirements into it.
	@$(PYTHON) sandbox/bootstrap.py

run: setup ## Start the whole site with its sandbox; Ctrl-C stops all of it.
	@exec $(BIN)/python -m sandbox run

close: setup ## End the current month at once, so that creators can withdraw.
	@$(BIN)/python -m sandbox manage close_month --now

lock: ## Compile requirements*.txt anew from requirements*.in, with hashes.
	@$(PYTHON) -m venv .data/lock && .data/lock/bin/pip install -qq --disable-pip-version-check uv
	@for name in requirements requirements-dev; do \
		.data/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--custom-compile-command 'make lock' $$name.in --output-file $$name.txt || exit 1; \
	done
