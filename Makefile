# Everything happens in virtual environments of its own; nothing else on the machine is touched.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
LINT := .venv-lint/bin

.PHONY: install demo test photographs fuzz docs browsers serve lint build release clean

install: $(VENV)/installed   ## the virtual environment with the library

demo: $(VENV)/installed   ## train and compare the models: runs/demo/comparison.png
	$(BIN)/voc-seg demo

test: $(VENV)/installed   ## the whole test suite
	$(BIN)/python -m pytest -n auto

photographs: $(VENV)/installed   ## the table of photographs: DATA=... WEIGHTS=...; 90 minutes, resumes
	$(BIN)/python benchmarks/photographs.py --data "$(DATA)" --weights "$(WEIGHTS)"

fuzz: $(VENV)/installed   ## damaged files of all kinds, for SECONDS=600 by default
	$(BIN)/python tests/fuzz.py --seconds $(or $(SECONDS),600)

docs: $(VENV)/installed-docs   ## run the chapters and build the site: site/index.html; FAST=1 trains less
	$(BIN)/python tutorials/build.py $(if $(FAST),--fast)
	$(BIN)/python -m mkdocs build --strict

browsers: $(VENV)/installed-docs   ## the live figures in Firefox and WebKitGTK; needs Debian's firefox-esr, webkit2gtk-driver, xvfb
	$(BIN)/python -m pip install --quiet -e ".[browser]" selenium
	npm install --silent --prefix .venv-node puppeteer-core
	xvfb-run $(BIN)/python tests/browsers.py

serve: docs   ## show the site at http://127.0.0.1:8000
	$(BIN)/python -m mkdocs serve

lint: $(VENV)/installed .venv-lint/installed   ## style, docstrings and types
	$(LINT)/ruff check .
	$(LINT)/ruff format --check .
	$(LINT)/mypy --python-executable $(BIN)/python

build: .venv-lint/installed   ## wheel and source archive, in dist
	$(LINT)/python -m build --quiet

release:   ## all that we give away, in dist: wheel, source archive, notebooks, and the site to unpack
	rm -rf dist
	$(MAKE) build docs
	mkdir dist/docs
	cp -r docs/photos docs/photos.md dist/docs  # the chapters look for docs/photos
	$(BIN)/python -m zipfile -c dist/voc_seg-notebooks.zip docs/tutorials/0*.ipynb dist/*.whl dist/docs
	rm -r dist/docs
	$(BIN)/python -m zipfile -c dist/voc_seg-site.zip site

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e ".[test]"
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install -e ".[docs]"
	touch $@

.venv-lint/installed: pyproject.toml
	$(PYTHON) -m venv .venv-lint
	$(LINT)/python -m pip install "ruff>=0.9" "mypy>=1.13" "build>=1.2"
	touch $@

clean:
	rm -rf $(VENV) .venv-* build dist site *.egg-info .pytest_cache .ruff_cache .mypy_cache
