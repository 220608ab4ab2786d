# make run    the web page on http://127.0.0.1:7860 (ARGS="--port 8000" and so on)
# make test   every test (ARGS="tests/test_app.py" for some)
# make lint   what CI checks besides: ruff, mypy, the order of imports, the README's figures
# make format ruff's formatting
# make audit  known holes in the packages installed; needs the network
#
# make run TORCH_INDEX=ADDRESS   with the PyTorch of that package index: pip's own is for GPUs and 5 GB
#             larger than the CPU build, whose address pytorch.org tells
#
# Each makes the virtual environment .venv and installs into it what it needs, once.

# The first Python from 3.11 on; `make PYTHON=/usr/bin/python3.13 run` for another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$python; break; }; done)
BIN := .venv/bin
# The PyTorch of another index first, then the rest, which is content with it.
TORCH := $(if $(TORCH_INDEX),$(BIN)/python -m pip install --disable-pip-version-check --quiet \
	--index-url "$(TORCH_INDEX)" $$(grep -oE '^torch(vision)?[>=.0-9]+' requirements.txt),true)
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet -r

.PHONY: run test lint format audit
.DELETE_ON_ERROR:

run: .venv/installed .venv/engine
	@$(BIN)/python app.py $(ARGS)

# The processes that tests start find the modules compiled, also where Python is told to keep none.
test: .venv/installed-dev .venv/engine
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -rs -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m train.evaluate readme --check

audit: .venv/installed-dev
	@$(BIN)/python .ci/audit

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/installed: requirements.txt | $(BIN)/python
	@echo "Installing requirements.txt into .venv: a few minutes, once."
	@$(TORCH)
	@$(INSTALL) requirements.txt
	@touch $@

.venv/installed-dev: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo "Installing requirements-dev.txt into .venv: a few minutes, once."
	@$(TORCH)
	@$(INSTALL) requirements-dev.txt
	@touch $@ .venv/installed

# What finds faces in visitors' browsers; where it cannot be had, the page goes without and says so.
.venv/engine: web/device/package-lock.json | .venv/installed
	@$(BIN)/python -m web.device && touch $@ || true

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11 or newer is needed and none was found; install it, or say where it is:" ; \
		echo "    make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" ; exit 1 ; fi
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
		"Python 3.11 or newer is needed; $(PYTHON) is %d.%d" % v[:2])'
	@$(PYTHON) -m venv .venv
