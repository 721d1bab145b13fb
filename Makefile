PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test browser-test peers-test docs wheel second-python attack torture lint types install clean

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
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[cluster,hf,onnx]' onnxruntime minicons lm-eval
	$(BIN)/python -m pip install --quiet --no-deps pyctcdecode==0.5.0 pygtrie==2.6.2  # it asks for an old NumPy
	touch $@

docs: .venv/docs
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build

.venv/docs: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

wheel: .venv/installed
	rm -rf dist && $(BIN)/python -m pip install --quiet build && $(BIN)/python -m build --quiet
	rm -rf .venv/wheel && $(PYTHON) -m venv .venv/wheel
	.venv/wheel/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd .venv/wheel && bin/langmodel --version && printf 'a b c\n%.0s' 1 2 3 4 5 6 7 8 9 > text.txt && \
	  bin/langmodel preprocess text.txt -o corpus --tokenizer whitespace --sentences line && \
	  bin/langmodel train corpus -o run --epochs 1 --hidden-size 4 --embedding-size 4 && bin/langmodel sample run -n 1

second-python: .venv/installed
	scripts/second_python.sh

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
