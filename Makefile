# make run    watch this host
# make test   everything that is checked
# make bench  the figures in the README, measured again

SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
CACHE := .cache
PY := $(VENV)/bin/python

.PHONY: help run test lint unit bench generate golden picture requirements clean

help:
	@sed -n 's/^# //p' Makefile

run: $(VENV)/.installed
	@exec $(PY) compose/run.py $(ARGS)

test: $(VENV)/.installed-dev
	@exec $(PY) -m tests.support.everything

lint: $(VENV)/.installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

unit: $(VENV)/.installed-dev
	$(PY) -m pytest tests/unit

bench: $(VENV)/.installed-dev
	@exec $(PY) -m tests.benchmarks $(ARGS)

# What is generated and committed: the dashboards and the tables of the README.
generate: $(VENV)/.installed-dev
	$(PY) grafana/generate.py
	$(PY) -m tests.support.readme --write

# After a metric was added or renamed: tests/golden/metrics.tsv, from a whole mail host.
golden: $(VENV)/.installed-dev
	$(PY) -m tests.support.golden

# After a change of the dashboard: the picture in the README. Takes eight minutes; needs chromium, fonts-inter, pngquant.
picture: $(VENV)/.installed-dev
	$(PY) -m tests.support.scene

$(VENV)/bin/pip:
	@$(PYTHON) compose/make_venv.py $(VENV) $(CACHE)

$(VENV)/.installed: $(VENV)/bin/pip requirements.txt requirements-build.txt pyproject.toml
	@echo "installing the exporter's requirements into $(VENV)"
	@$(VENV)/bin/pip install --quiet --require-hashes -r requirements.txt
	@$(VENV)/bin/pip install --quiet --require-hashes -r requirements-build.txt
	@$(VENV)/bin/pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@echo "installing what the tests need into $(VENV)"
	@$(VENV)/bin/pip install --quiet --require-hashes -r requirements-dev.txt
	@touch $@

# After a change of the dependencies in pyproject.toml; needs uv.
requirements: COMPILE = uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
	--python-version 3.10 --no-config
requirements:
	$(COMPILE) pyproject.toml --output-file requirements.txt
	$(COMPILE) --group pyproject.toml:build --output-file requirements-build.txt
	$(COMPILE) pyproject.toml --group test --output-file requirements-dev.txt

clean:
	rm -rf $(VENV) $(CACHE) .run
