PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test browser-test peers-test attack torture lint types install clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/langmodel demo

test: lint types
	$(BIN)/pytest -n 2 --dist loadgroup

browser-test: .venv/installed
	command -v chromium >/dev/null || (apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium) || true
	$(BIN)/pytest tests/browser -m browser -rs -n 2 --dist loadgroup

peers-test: .venv/peers
	$(BIN)/pytest tests/peers tests/test_drop_ins.py -rs

.venv/peers: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[hf,onnx]' onnxruntime minicons lm-eval
	$(BIN)/python -m pip install --quiet --no-deps pyctcdecode==0.5.0 pygtrie==2.6.2  # it asks for an old NumPy
	touch $@

attack: .venv/installed
	$(BIN)/python scripts/attack.py --attempts 500 --seconds 60

torture: .venv/installed
	$(BIN)/python scripts/torture.py --seconds 120

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
