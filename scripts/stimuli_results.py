"""Accuracies of a model on BLiMP and SyntaxGym, of its network alone and of its n-grams alone, as one table.

    python scripts/stimuli_results.py RUN blimp/*.jsonl.gz syntaxgym/*.json.gz [--as-penn-treebank]

--as-penn-treebank writes the sentences as that corpus does: lower case, NLTK's words between blanks, no
punctuation. Each cell: accuracy, and without items that hold an unknown word.
"""

import argparse
import csv
import gzip
import io
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from langmodel.network.mixture import Gate, NgramPart
from langmodel.storage.model_file import load_model, model_path, save_model
from langmodel.text.tokenizers import make_tokenizer

CLOSED = -100.0
"""The log-odds of a network that has no part in the mixture."""

SENTENCES = ("sentence_good", "sentence_bad")


def ngrams_alone(run: Path, file: Path) -> None:
    """The same model with a gate that gives everything to the n-grams."""
    model = load_model(model_path(run))
    if model.ngrams is None:
        raise SystemExit(f"{run}: has no n-grams; train without --ngrams 0")
    gate = model.ngrams.gate
    closed = Gate(torch.zeros_like(gate.weight_F), torch.full_like(gate.bias, CLOSED))
    save_model(file, replace(model, ngrams=NgramPart(model.ngrams.ngrams, closed)))


def as_penn_treebank(file: Path, folder: Path) -> Path:
    tokenizer = make_tokenizer("nltk")

    def plain(text: str) -> str:
        return " ".join(word.lower() for word in tokenizer.tokenize(text) if word not in ".,?!")

    def rewritten(data: Any) -> Any:
        for name in SENTENCES:
            if name in data:
                data[name] = plain(data[name])
        for item in data.get("items", ()):
            for condition in item["conditions"]:
                for region in condition["regions"]:
                    region["content"] = plain(region["content"])
        return data

    text = gzip.decompress(file.read_bytes()).decode() if file.suffix == ".gz" else file.read_text()
    made = folder / file.name.removesuffix(".gz")
    if made.suffix == ".jsonl":
        lines = [json.dumps(rewritten(json.loads(line))) for line in text.splitlines()]
        made.write_text("\n".join(lines) + "\n")
    else:
        made.write_text(json.dumps(rewritten(json.loads(text))))
    return made


def accuracies(arguments: list[str], files: list[Path]) -> dict[str, tuple[str, str]]:
    """Of each paradigm or suite and of all: percent right, and how many items hold an unknown word."""
    command = [sys.executable, "-m", "langmodel", "stimuli", *arguments, *map(str, files)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = csv.DictReader(io.StringIO(result.stdout))
    return {
        row[next(iter(row))]: (f"{100 * float(row['accuracy']):.1f}", row["with_oov"])
        for row in rows
        if row.get("prediction", "all") == "all"
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--as-penn-treebank", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = arguments.files
        if arguments.as_penn_treebank:
            files = [as_penn_treebank(file, folder) for file in files]
        alone = folder / "ngrams.safetensors"
        ngrams_alone(arguments.run, alone)
        models = ([str(arguments.run)], [str(arguments.run), "--network-only"], [str(alone)])
        print("| | whole model | network alone | n-grams alone | items with unknown words |")
        print("| --- | --- | --- | --- | --- |")
        blimp = [file for file in files if ".jsonl" in file.name]
        suites = [file for file in files if ".jsonl" not in file.name]
        for group, excludes in ((blimp, True), (suites, False)):
            if not group:
                continue
            found = [accuracies(model, group) for model in models]
            known = [accuracies([*model, "--exclude-oov"], group) if excludes else {} for model in models]
            for label, (_, unknown) in found[0].items():
                cells = [
                    own[label][0] + (f", {without[label][0]}" if label in without else "")
                    for own, without in zip(found, known, strict=True)
                ]
                print(f"| {label} | {' | '.join(cells)} | {unknown} |", flush=True)


if __name__ == "__main__":
    main()
