"""`langmodel evaluate`: perplexity of a held-out text or split."""

import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from langmodel.cli.options import (
    Choice,
    device_option,
    model_argument,
    network_only_option,
    reading_of,
    reading_options,
    threads_option,
    warned_if_wrapped,
)
from langmodel.display.bars import counted
from langmodel.display.reports import rows_as_text
from langmodel.errors import ConfigError, CorpusError, InputError
from langmodel.formats.score_tables import FORMATS, Style, finite
from langmodel.inference.adaptation import ADAPTATIONS
from langmodel.inference.language_model import LanguageModel, load
from langmodel.network.architecture import CONTEXTS
from langmodel.network.device import prepare_cpu
from langmodel.network.evaluation import Likelihood
from langmodel.network.windows import IdArray
from langmodel.runs.run_corpus import corpus_of_run, open_matching_corpus
from langmodel.text.corpus import Corpus
from langmodel.text.corpus_files import is_corpus
from langmodel.text.reading import read_sentences
from langmodel.text.sentences import SENTENCES
from langmodel.text.sources import Reading, read_lines


class _Text:
    """The sentences of a text as they are read; and its characters, with the ends of paragraphs."""

    def __init__(self, lm: LanguageModel, source: str, sentences: str | None, reading: Reading) -> None:
        self.characters = 0
        lines = counted(read_lines(source, reading), "evaluating", answered=False)
        self._sentences = read_sentences(
            warned_if_wrapped(lines, sentences or lm.pipeline.sentences), lm.pipeline, sentences
        )

    def __iter__(self) -> Iterator[str]:
        for sentence in self._sentences:
            self.characters += sentence.paragraph_characters
            yield sentence.text


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
    adaptation = ADAPTATIONS[kind](lm.network, lm.ngrams, train, valid)
    return Likelihood.of(adaptation.log_probs(ids), ids), adaptation.settings


@dataclass(frozen=True)
class Evaluated:
    """A text or split, with everything that was asked about it."""

    name: str
    result: Likelihood
    model: str
    """What gave the probabilities: the network, or network and n-grams."""
    vocabulary_size: int
    context: str
    open_vocabulary: int | None
    opened: float | None
    """Perplexity over the open vocabulary."""
    characters: int
    """Of the text, line ends counted; 0 for a split of an older corpus, which did not count them."""
    adaptation: str | None
    adapted: Likelihood | None
    settings: dict[str, float]
    """What the adaptation was tuned to."""

    @property
    def bits(self) -> float | None:
        """Per character, over the open vocabulary if there is one.

        Without an open vocabulary, a text with unknown words has no such figure: the less a model knew, the
        better it would look.
        """
        if not self.characters or (self.result.oov and self.opened is None):
            return None
        mean = math.log(self.result.perplexity if self.opened is None else self.opened)
        return mean * self.result.tokens / math.log(2) / self.characters

    def as_json(self) -> str:
        values: dict[str, Any] = {
            "perplexity": self.result.perplexity,
            "perplexity_excluding_oov": self.result.perplexity_excluding_oov,
            "log_prob": self.result.log_prob,
            "tokens": self.result.tokens,
            "oov": self.result.oov,
            "vocabulary_size": self.vocabulary_size,
            "model": self.model,
        }
        further = {
            "open_vocabulary_perplexity": self.opened,
            "bits_per_character": self.bits,
            "adapted_perplexity": None if self.adapted is None else self.adapted.perplexity,
        }
        values |= {name: value for name, value in further.items() if value is not None}
        return json.dumps({k: finite(v) if isinstance(v, float) else v for k, v in values.items()})

    def as_table(self) -> str:
        result = self.result
        rows = [
            ("evaluated on", self.name),
            ("model", self.model),
            ("perplexity", f"{result.perplexity:.2f}"),
            ("  excluding OOV", f"{result.perplexity_excluding_oov:.2f}"),
        ]
        if self.opened is not None:
            rows.append(("  open vocabulary", f"{self.opened:.2f} (of {self.open_vocabulary:,} words)"))
        if self.adapted is not None:
            found = ", ".join(f"{name} {value:.4g}" for name, value in self.settings.items())
            rows.append(("  adapted", f"{self.adapted.perplexity:.2f} ({self.adaptation}: {found})"))
        rows += [
            ("log-probability", f"{result.log_prob:.2f} nats"),
            ("tokens", f"{result.tokens:,} (END counted), {result.oov:,} of them OOV"),
            ("vocabulary size", f"{self.vocabulary_size:,}"),
            ("context", self.context),
        ]
        if self.bits is not None:
            over = "" if self.opened is None else ", open vocabulary"
            rows.append(("bits per character", f"{self.bits:.4f} ({self.characters:,} with line ends{over})"))
        elif self.characters:
            rows.append(("bits per character", "none that compares with other models: add --open-vocabulary"))
        return rows_as_text(rows)


def print_scores(lm: LanguageModel, text: Iterable[str], file: str, context: str | None, name: str) -> None:
    """Each sentence of a text, as `score` prints it; sums at the end where a format has them."""
    style = Style(file=file, per_word=True, srilm_debug=2)
    chosen = FORMATS[name]
    scores = lm.score_lines(text, context or lm.context, detail=chosen.detail(style))
    for line in chosen.write(scores, style):
        print(line)


@click.command("evaluate")
@model_argument
@click.argument("data", required=False, metavar="[FILE|CORPUS_DIR]")
@click.option("--split", type=Choice(["valid", "test"]), help="Of a corpus.  [default: valid]")
@click.option("--context", type=Choice(CONTEXTS), help="Where the state is carried.  [default: as trained]")
@click.option(
    "--adapt",
    type=Choice(list(ADAPTATIONS)),
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
@click.option(
    "--format", "format_", type=Choice(list(FORMATS)),
    help="Of a FILE: every word, as `score` prints it, instead of a table. Lines without words are left out.",
)  # fmt: skip
@click.option(
    "--sentences", type=Choice(SENTENCES),
    help="How a FILE is split.  [default: as the model's corpus was]",
)  # fmt: skip
@reading_options
@network_only_option
@device_option
@threads_option
def command(
    model: Path, data: str | None, split: str | None, context: str | None, adapt: str | None,
    open_vocabulary: int | None, as_json: bool, format_: str | None, sentences: str | None,
    column: str | None, field: str | None, encoding: str | None, clean: str | None,
    network_only: bool, device: str, threads: int | None,
) -> None:  # fmt: skip
    """Print the perplexity of MODEL (a run directory or a .safetensors file) on a text or a split.

    Without FILE or CORPUS_DIR, the corpus that the run was trained on. A FILE is anything that `preprocess`
    takes, and is split into sentences as the model's corpus was.
    """
    prepare_cpu(threads)
    lm = load(model, device, network_only=network_only)
    adapted, found, characters = None, dict[str, float](), 0
    if split is not None and data is not None and not is_corpus(Path(data)):
        raise InputError(f"{data}: --split is of a corpus; leave it out")
    split = split or "valid"
    if data is None or is_corpus(Path(data)):
        if format_ is not None:
            raise InputError("--format is for a text; give a FILE, or use --json")
        corpus = open_matching_corpus(lm, corpus_of_run(model) if data is None else Path(data))
        name = f"{corpus.path} ({split})"
        result = lm.evaluate_ids(_split(corpus, split), context)
        characters = corpus.statistics[split].characters or 0
        if adapt is not None:
            if (context or lm.context) != "document":
                raise ConfigError("--adapt reads a split as one document; add --context document")
            if split == "valid":
                print("note: --adapt is tuned on this very split; report --split test", file=sys.stderr)
            adapted, found = _adapt(lm, corpus, split, adapt)
    elif adapt is not None:
        raise InputError(f"{data}: --adapt is tuned on a validation split; give a corpus directory")
    elif format_ is not None:
        if as_json or open_vocabulary:
            raise ConfigError("--format prints every word; leave out --json and --open-vocabulary")
        text = _Text(lm, data, sentences, reading_of(column, field, encoding, clean))
        print_scores(lm, text, data, context, format_)
        return
    else:
        text = _Text(lm, data, sentences, reading_of(column, field, encoding, clean))
        result = lm.evaluate_lines(text, context)
        name, characters = data, text.characters
    if not result.tokens:
        raise CorpusError(f"{name}: no words to evaluate")
    evaluated = Evaluated(
        name=name,
        result=result,
        model=lm.kind,
        vocabulary_size=len(lm.vocabulary),
        context=context or lm.context,
        open_vocabulary=open_vocabulary,
        opened=open_vocabulary and result.open_vocabulary(len(lm.vocabulary.words), open_vocabulary),
        characters=characters,
        adaptation=adapt,
        adapted=adapted,
        settings=found,
    )
    print(evaluated.as_json() if as_json else evaluated.as_table())
