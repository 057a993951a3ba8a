# Everything below works in a fresh clone with Python, make, git and a C library, and can be run again at no cost.
# The environment is made in .venv and made up to date when pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV   ?= .venv
# For pip when it installs torch.  Without a GPU on Linux, this saves gigabytes where the default build brings CUDA:
# make demo TORCH_ARGS='--index-url https://download.pytorch.org/whl/cpu'
TORCH_ARGS ?=
WORKERS ?= 2
BIN    := $(VENV)/bin
VSCODE := editor_extension/vscode
# The workbench that the extension is tested in; some hundred megabytes, installed once.
E2E    ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rest-lsp-e2e
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-dashboard test-neovim test-vscode package-neovim extension lint format docs bench install clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP)  ## Complete real code with and without drafts: fetches a model (0.5 GB) once, indexes this repository
	$(BIN)/python -m rest_lsp bench demo

# Most tests wait for processes to start, so two at a time take half as long; a file's tests share what they prepare.
test: $(STAMP)  ## Run the tests
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile

test-vscode: extension  ## Test the extension for VS Code: types, lint, units, and a real workbench (Linux; installs Chromium and code-server)
	cd $(VSCODE) && npm run -s types && npm run -s lint && npm run -s test
	$(VSCODE)/e2e/install.sh $(E2E)
	$(BIN)/python -m rest_lsp models pull qwen2.5-coder-0.5b
	REST_LSP_TEST_PYTHON=$(abspath $(BIN)/python) $(VSCODE)/e2e/run.sh $(E2E)

extension: $(STAMP) $(VSCODE)/node_modules/.package-lock.json  ## Build the extension for VS Code, with the server in it: editor_extension/vscode/dist/rest-lsp.vsix
	rm -rf $(VSCODE)/server
	$(BIN)/python -m pip wheel -q --no-input --disable-pip-version-check --no-deps -w $(VSCODE)/server .
	cp LICENSE $(VSCODE)
	cd $(VSCODE) && npm run -s build && npm run -s package

test-dashboard: $(STAMP)  ## Test the dashboard in real Chromium (Linux; installs it), pictures go to out/dashboard
	tests/e2e/install_chromium.sh
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(E2E)-axe axe-core@4.14.1
	REST_LSP_TEST_AXE=$(E2E)-axe/node_modules/axe-core/axe.min.js $(BIN)/python -m pytest tests/e2e/real_dashboard.py

lint: $(STAMP)  ## Check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --no-warn-unreachable --cache-dir .mypy_cache/win32 rest_lsp

format: $(STAMP)  ## Put the code in the common format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## Write anew what is made of the declared options: table, schema, Neovim help
	$(BIN)/python -m rest_lsp.config_text

bench: $(STAMP)  ## Measure decoding on flask, plain against drafted: table, out/decode.json, out/decode.png
	@mkdir -p out
	$(BIN)/python -m rest_lsp bench decode --json out/decode.json --plot out/decode.png

test-neovim: $(STAMP)  ## Real Neovim with the real model on flask: fetches the model (0.5 GB) once, pictures go to out/neovim
	$(BIN)/python -m pytest tests/e2e/real_neovim.py

package-neovim:  ## Pack the Neovim plugin alone: dist/rest_lsp.nvim.tar.gz
	@mkdir -p dist
	git archive --format=tar.gz --prefix=rest_lsp.nvim/ --add-file=LICENSE -o dist/rest_lsp.nvim.tar.gz HEAD:editor_extension/neovim

install: $(STAMP)  ## Only make the environment

clean:  ## Remove the environment and everything that tools have left; models and indexes stay
	rm -rf $(VENV) $(VSCODE)/node_modules $(VSCODE)/dist $(VSCODE)/server out build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VSCODE)/node_modules/.package-lock.json: $(VSCODE)/package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or later"; exit 1; }
	cd $(VSCODE) && npm ci
	@touch $@

# torch comes first and alone: its pinned release is one wheel, and nothing that is installed later asks for another.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or later is needed, $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 10) else 0)'
	@test -x $(BIN)/python || { echo "Making the environment $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing pinned dependencies; the first time this takes some minutes"
	$(BIN)/python -m pip install --no-input --disable-pip-version-check -c constraints.txt $(TORCH_ARGS) torch==2.13.0
	$(BIN)/python -m pip install --no-input --disable-pip-version-check -c constraints.txt -e '.[dev,bench]'
	@touch $@
