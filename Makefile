# Everything happens in a virtual environment of its own; nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: install demo test docs serve lint clean

install: $(VENV)/installed   ## the virtual environment with the library

demo: $(VENV)/installed   ## train and compare the models: runs/demo/comparison.png
	$(BIN)/voc-seg demo

test: $(VENV)/installed   ## the whole test suite
	$(BIN)/python -m pytest

docs: $(VENV)/installed-docs   ## run the chapters and build the site: site/index.html; FAST=1 trains less
	$(BIN)/python tutorials/build.py $(if $(FAST),--fast)
	$(BIN)/mkdocs build --strict

serve: docs   ## show the site at http://127.0.0.1:8000
	$(BIN)/mkdocs serve

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e ".[test]"
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install -e ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) build site *.egg-info .pytest_cache .ruff_cache
