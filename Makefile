# Every target is one sentence in `make help`. PYTHON chooses the interpreter for the first set-up.
PYTHON ?= python3
BIN := .venv/bin
# Checks import the settings and need no database.
FOR_CHECKS := DEBUG=true SECRET_KEY=none DATABASE_URL=postgres://none@localhost/none

.DEFAULT_GOAL := help
.PHONY: help setup run close check format test test-fallbacks test-platforms wordpress-plugin soak mutants bench \
	clean lock

help: ## List every target.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

setup: ## Create .venv and install the pinned requirements into it.
	@$(PYTHON) sandbox/bootstrap.py

run: setup ## Start the whole site with its sandbox; Ctrl-C stops all of it.
	@exec $(BIN)/python -m sandbox run

close: setup ## End the current month at once, so that creators can withdraw.
	@$(BIN)/python -m sandbox manage close_month --now

check: setup ## Lint, check the formatting, the types, the migrations, the import contracts and the templates.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(FOR_CHECKS) $(BIN)/mypy .
	@# Models and migrations are compared without a database; that none answers is no news here.
	$(FOR_CHECKS) $(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(BIN)/lint-imports
	@# djade exits 1 when it would change a template; it reads only what git tracks.
	@git ls-files -z -- '*.html' | xargs -0 -r $(BIN)/djade --target-version 5.2 --check

format: setup ## Format the code and the templates.
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	@git ls-files -z -- '*.html' | xargs -0 -r $(BIN)/djade --target-version 5.2 || true

# Some hundred processes start here: each would compile every module anew where nothing is kept.
test: export PYTHONDONTWRITEBYTECODE =
test: setup check ## Set up, check everything, and run all tests, those in a browser included.
	$(BIN)/python -m sandbox.browser
	$(BIN)/pytest -q -n 2 -m 'not e2e'
	$(BIN)/pytest -q -n 2 --dist loadfile -m e2e
	@$(BIN)/python -m tests.platforms.parts test

test-fallbacks: setup ## Press a button in every kind of page, browser and person: 72 cells, some minutes.
	@$(BIN)/python -m sandbox.browser
	$(BIN)/pytest -q tests/fallbacks

test-platforms: setup ## Install real site generators and WordPress, saying what, and test with them.
	@$(BIN)/python -m tests.platforms.parts install
	@$(BIN)/python -m sandbox.browser
	@$(BIN)/python -m tests.platforms.parts test

wordpress-plugin: setup ## Make the plugin for WordPress: .data/plugins/flattr-button.zip.
	@$(BIN)/python -m plugins.words
	@$(BIN)/python -m buttons.plugin_zip .data/plugins
	@sha256sum .data/plugins/flattr-button.zip

bench: setup ## Run all benchmarks, and write down what they found.
	@$(BIN)/python -m benchmarks.all

soak: setup ## Run the long tests: a million operations against the model, and every kill.
	$(BIN)/python -u -m tests.soak

mutants: setup ## Seed faults one by one and see the tests find each.
	$(BIN)/python -m tests.mutants

clean: ## Delete the sandbox's data: databases, mail, logs and secrets.
	rm -rf .data

lock: ## Compile requirements*.txt anew from requirements*.in, with hashes.
	@$(PYTHON) -m venv .data/lock-tools && .data/lock-tools/bin/pip install -qq --disable-pip-version-check uv
	@for name in requirements requirements-dev; do \
		.data/lock-tools/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--custom-compile-command 'make lock' $$name.in --output-file $$name.txt || exit 1; \
	done
