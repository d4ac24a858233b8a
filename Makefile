# `make help` says what each target does. Each first sets up .venv if it is missing or stale.
PYTHON ?= python3
ASSIGNMENT ?= hidden-markov-models
LECTURE ?= hidden-markov-models
PORT ?= 8000
BIN := .venv/bin

# many small matrices: a second thread only waits for the first
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help setup book serve lecture test lint check format exercises grade bench clean

help: ## say what each target does
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: .venv/.ready ## make .venv from constraints.txt if it is missing or stale

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Latent needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

book: setup ## build the book and print where it is
	$(BIN)/jupyter-book build --warningiserror --nitpick --keep-going --quiet .
	@echo "The book is at file://$(CURDIR)/_build/html/index.html"

serve: book ## serve the built book on this machine (PORT=8000)
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lecture: setup ## open a lecture in JupyterLab, pages as notebooks (LECTURE=hidden-markov-models)
	JUPYTER_CONFIG_PATH="$(CURDIR)/jupyter" $(BIN)/jupyter lab --ServerApp.root_dir=book book/$(LECTURE)/index.md

test: book ## build the book and run every test
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: setup ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

check: lint ## lint, types and the quick tests, in two minutes
	$(BIN)/python -m pytest --quiet --numprocesses 2 -m "not book and not browser and not slow"

format: setup ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

exercises: setup ## regenerate what students get from solutions/
	$(BIN)/python -m tools.exercises

grade: setup ## grade the hand-ins of one assignment (ASSIGNMENT=hidden-markov-models)
# exit code 1: all are graded but some that have problems, which it lists
	$(BIN)/sealed grade $(ASSIGNMENT) || [ $$? = 1 ]
	$(BIN)/nbgrader generate_feedback $(ASSIGNMENT) --force
	$(BIN)/nbgrader export --to grading/marks.csv

bench: setup ## measure against hmmlearn, PyTorch, ipywidgets, nbgrader and others, and train; see benchmarks/results/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.widgets >/dev/null
	$(BIN)/python -m benchmarks.grading >/dev/null
	$(BIN)/python -m benchmarks.trained >/dev/null

clean: ## remove everything that was built, and .venv
	rm -rf .venv _build .pytest_cache .ruff_cache .hypothesis
