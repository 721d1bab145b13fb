#!/usr/bin/env bash
# On another Python than that of .venv, where one is installed: the corpus has the same bytes; with torch, all tests.
set -euo pipefail
cd "$(dirname "$0")/.."
first=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
second=
for candidate in python3.13 python3.12 python3.11 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[123]*/bin/python; do
  version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  if [ "$version" != "$first" ]; then second=$candidate; break; fi
done
if [ -z "$second" ]; then
  echo "no second Python is installed; nothing is tried on one"
  exit 0
fi
if "$second" -c 'import torch, pytest, xdist, hypothesis' 2>/dev/null; then
  exec "$second" -m pytest -n 2 --dist loadgroup
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$second" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --constraint constraints.txt numpy nltk tqdm click
cat README.md docs/*.md > "$folder/text.txt"
for python in .venv/bin/python "$folder/venv/bin/python"; do
  rm -rf "$folder/corpus"
  PYTHONPATH=. "$python" -m langmodel preprocess "$folder/text.txt" -o "$folder/corpus" --workers 2 > /dev/null 2>&1
  cat "$folder"/corpus/*.npy "$folder/corpus/vocabulary.json" | sha256sum
done > "$folder/digests"
if [ "$(sort -u "$folder/digests" | wc -l)" != 1 ]; then
  echo "Python $first and $version make different corpora of the same text" >&2
  exit 1
fi
echo "Python $version, without torch: the same corpus as by Python $first"
