"""`langmodel evaluate`: perplexity of a held-out text or split."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from langmodel.cli.options import device_option, model_argument, threads_option
from langmodel.cli.report import rows_as_text
from langmodel.cli.run_corpus import corpus_of_run, open_matching_corpus
from langmodel.errors import CorpusError, InputError
from langmodel.inference.adaptation import ADAPTATIONS
from langmodel.inference.language_model import LanguageModel, load
from langmodel.network.architecture import CONTEXTS
from langmodel.network.device import prepare_cpu
from langmodel.network.evaluation import Likelihood
from langmodel.network.windows import IdArray
from langmodel.text.corpus import Corpus, is_corpus
from langmodel.text.sources import read_lines


class _Characters:
    """Lines that are counted as they pass: characters of the lines with words, and their ends."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.count += len(line) + 1 if line.strip() else 0
            yield line


def _split(corpus: Corpus, split: str) -> IdArray:
    ids = corpus.split(split)
    if not len(ids):
        raise CorpusError(
            f"{corpus.path}: the {split} split is empty; choose another --split, or a text file"
        )
    return ids


def _adapt(lm: LanguageModel, corpus: Corpus, split: str, kind: str) -> tuple[Likelihood, dict[str, float]]:
    """What the split's likelihood becomes, and the settings that the validation split asked for."""
    ids, train, valid = _split(corpus, split), _split(corpus, "train"), _split(corpus, "valid")
    adaptation = ADAPTATIONS[kind](lm.network, train, valid)
    return Likelihood.of(adaptation.log_probs(ids), ids), adaptation.settings


@click.command("evaluate")
@model_argument
@click.argument("data", required=False, metavar="[FILE|CORPUS_DIR]")
@click.option(
    "--split", type=click.Choice(["valid", "test"]), default="valid", show_default=True, help="Of a corpus."
)
@click.option(
    "--context", type=click.Choice(CONTEXTS), help="Where the state is carried.  [default: as trained]"
)
@click.option(
    "--adapt",
    type=click.Choice(list(ADAPTATIONS)),
    help="Also with what is learnt at test time, tuned on the validation split. temperature: of the softmax. "
    "cache: recent words are likelier. dynamic: the weights follow the text (minutes).",
)
@click.option(
    "--open-vocabulary",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also the perplexity over N words, UNK's probability shared out among those that the model lacks.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@device_option
@threads_option
def command(
    model: Path,
    data: str | None,
    split: str,
    context: str | None,
    adapt: str | None,
    open_vocabulary: int | None,
    as_json: bool,
    device: str,
    threads: int | None,
) -> None:
    """Print the perplexity of MODEL (a run directory or a .safetensors file) on a text or a split.

    Without FILE or CORPUS_DIR, the corpus that the run was trained on. A FILE holds a sentence a line.
    """
    prepare_cpu(threads)
    lm = load(model, device)
    adapted: tuple[Likelihood, dict[str, float]] | None = None
    characters = 0
    if data is None or is_corpus(Path(data)):
        corpus = open_matching_corpus(lm, corpus_of_run(model) if data is None else Path(data))
        name = f"{corpus.path} ({split})"
        result = lm.evaluate_ids(_split(corpus, split), context)
        if adapt is not None:
            adapted = _adapt(lm, corpus, split, adapt)
    elif adapt is not None:
        raise InputError(f"{data}: --adapt is tuned on a validation split; give a corpus directory")
    else:
        counted = _Characters(read_lines(data))
        result = lm.evaluate_lines(counted, context)
        name, characters = data, counted.count
    if not result.tokens:
        raise CorpusError(f"{name}: no words to evaluate")
    known = len(lm.vocabulary.words)
    opened = None if open_vocabulary is None else result.open_vocabulary(known, open_vocabulary)
    bits = -result.log_prob / math.log(2) / characters if characters else None
    if as_json:
        values = {
            "perplexity": result.perplexity,
            "perplexity_excluding_oov": result.perplexity_excluding_oov,
            "log_prob": result.log_prob,
            "tokens": result.tokens,
            "oov": result.oov,
            "vocabulary_size": len(lm.vocabulary),
        }
        if opened is not None:
            values["open_vocabulary_perplexity"] = opened
        if bits is not None:
            values["bits_per_character"] = bits
        if adapted is not None:
            values["adapted_perplexity"] = adapted[0].perplexity
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
    if opened is not None:
        rows.insert(3, ("  open vocabulary", f"{opened:.2f} (of {open_vocabulary:,} words)"))
    if bits is not None:
        rows.append(("bits a character", f"{bits:.4f} ({characters:,} characters, line ends counted)"))
    if adapted is not None:
        likelihood, settings = adapted
        found = ", ".join(f"{name} {value:.4g}" for name, value in settings.items())
        rows.append(("  adapted", f"{likelihood.perplexity:.2f} ({adapt}: {found})"))
    print(rows_as_text(rows))
