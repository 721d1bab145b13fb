"""`langmodel evaluate`: perplexity of a held-out text or split."""

import json
import math
from pathlib import Path

import click

from langmodel.cli.options import device_option, model_argument, threads_option
from langmodel.cli.report import rows_as_text
from langmodel.errors import CorpusError, InputError
from langmodel.inference.language_model import LanguageModel, load
from langmodel.network.architecture import CONTEXTS
from langmodel.network.device import prepare_cpu
from langmodel.network.evaluation import Likelihood
from langmodel.storage.run_files import read_run
from langmodel.text.corpus import is_corpus, open_corpus
from langmodel.text.sources import read_lines


def _corpus_of_run(model: Path) -> Path:
    run = model if model.is_dir() else model.parent
    corpus = read_run(run).get("corpus")
    if not isinstance(corpus, str):
        raise InputError(f"{model}: give a text file or a corpus directory to evaluate on")
    return Path(corpus)


def _evaluate_split(lm: LanguageModel, path: Path, split: str, context: str | None) -> Likelihood:
    corpus = open_corpus(path)
    if corpus.vocabulary != lm.vocabulary:
        raise CorpusError(
            f"{path}: its vocabulary is not the model's; evaluate on a text file, or preprocess the "
            "corpus that the model was trained on"
        )
    ids = corpus.split(split)
    if not len(ids):
        raise CorpusError(f"{path}: the {split} split is empty; choose another --split, or a text file")
    return lm.evaluate_ids(ids, context)


@click.command("evaluate")
@model_argument
@click.argument("data", required=False, metavar="[FILE|CORPUS_DIR]")
@click.option(
    "--split", type=click.Choice(["valid", "test"]), default="valid", show_default=True, help="Of a corpus."
)
@click.option(
    "--context", type=click.Choice(CONTEXTS), help="Where the state is carried.  [default: as trained]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@device_option
@threads_option
def command(
    model: Path,
    data: str | None,
    split: str,
    context: str | None,
    as_json: bool,
    device: str,
    threads: int | None,
) -> None:
    """Print the perplexity of MODEL (a run directory or a .safetensors file) on a text or a split.

    Without FILE or CORPUS_DIR, the corpus that the run was trained on. A FILE holds a sentence a line.
    """
    prepare_cpu(threads)
    lm = load(model, device)
    if data is None or is_corpus(Path(data)):
        path = _corpus_of_run(model) if data is None else Path(data)
        result = _evaluate_split(lm, path, split, context)
        name = f"{path} ({split})"
    else:
        result = lm.evaluate_lines(read_lines(data), context)
        name = data
    if not result.tokens:
        raise CorpusError(f"{name}: no words to evaluate")
    if as_json:
        values = {
            "perplexity": result.perplexity,
            "perplexity_excluding_oov": result.perplexity_excluding_oov,
            "log_prob": result.log_prob,
            "tokens": result.tokens,
            "oov": result.oov,
            "vocabulary_size": len(lm.vocabulary),
        }
        print(json.dumps({k: v if math.isfinite(v) else None for k, v in values.items()}))
        return
    rows = [
        ("evaluated on", name),
        ("perplexity", f"{result.perplexity:.2f}"),
        ("  excluding OOV", f"{result.perplexity_excluding_oov:.2f}"),
        ("log-probability", f"{result.log_prob:.2f} nats"),
        ("tokens", f"{result.tokens:,} (END counted), {result.oov:,} of them OOV"),
        ("vocabulary size", f"{len(lm.vocabulary):,}"),
        ("context", context or lm.context),
    ]
    print(rows_as_text(rows))
