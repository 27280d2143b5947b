# Every command of this project. `make` alone prints them.

python := .venv/bin/python
pytest := $(python) -m pytest -n auto

.DEFAULT_GOAL := help
.PHONY: help demo serve test test-full test-more test-clients check bench profile clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## install, start a real server and walk through the API, every answer checked
	@scripts/setup
	@$(python) scripts/demo.py

serve: ## install and run the server, data in ./weft-data
	@scripts/setup
	@$(python) -m weft serve

test: ## set up and run the tests
	@scripts/setup dev
	$(pytest) -m "not full"

test-full: test test-more ## all tests: also the slow ones and test-clients

# What test-full has beyond test.
test-more: test-clients
	@scripts/setup dev
	$(pytest) -m full

test-clients: ## clients of other versions and languages against a real server
	@scripts/setup dev
	PYTHON=$(python) scripts/test-clients

check: ## linters, types, layers, generated pages: exactly what CI runs
	@scripts/setup dev
	$(python) -m ruff check
	$(python) -m ruff format --check
	$(python) -m mypy
	.venv/bin/lint-imports
	$(python) scripts/reference.py --check
	$(python) scripts/lifecycle.py --check
	$(python) scripts/client_methods.py --check
	@find src tests bench scripts \( -name '*.py' -o -name '*.sql' \) -exec awk \
	  'FNR == 601 {print FILENAME ": more than 600 lines"; bad = 1} END {exit bad}' {} +

bench: ## measure speed and memory beside the floor; writes docs/benchmarks.md
	@scripts/setup dev
	$(python) -m bench

profile: ## where the time of POST /threads goes
	@scripts/setup dev
	$(python) -m bench profile

clean: ## remove what the commands above made, except data
	rm -rf .venv .clients .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis \
	  .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
