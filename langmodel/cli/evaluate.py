"""`langmodel evaluate`: perplexity of a held-out text or split."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

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
from langmodel.display.evaluated import Evaluated
from langmodel.errors import ConfigError, CorpusError, InputError
from langmodel.formats.score_style import Style
from langmodel.formats.score_tables import FORMATS
from langmodel.inference.adaptation import ADAPTATIONS
from langmodel.inference.language_model import LanguageModel, load
from langmodel.network.architecture import CONTEXTS
from langmodel.network.device import prepare_cpu
from langmodel.network.evaluation import Likelihood
from langmodel.network.windows import IdArray
from langmodel.runs.run_corpus import corpus_of_run, open_matching_corpus
from langmodel.text.corpus import Corpus
from langmodel.text.corpus_files import is_corpus
from langmodel.text.paragraphs import SENTENCES
from langmodel.text.reading import read_sentences
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


def _of_text(
    lm: LanguageModel, text: _Text, name: str, context: str | None, open_vocabulary: int | None
) -> Evaluated:
    result = lm.evaluate_lines(text, context)
    return _evaluated(lm, name, result, context, open_vocabulary, text.characters)


def _of_split(
    lm: LanguageModel,
    corpus: Corpus,
    split: str,
    context: str | None,
    adapt: str | None,
    open_vocabulary: int | None,
) -> Evaluated:
    result = lm.evaluate_ids(_split(corpus, split), context)
    characters = corpus.statistics[split].characters or 0
    plain = _evaluated(lm, f"{corpus.path} ({split})", result, context, open_vocabulary, characters)
    if adapt is None:
        return plain
    if plain.context != "document":
        raise ConfigError("--adapt reads a split as one document; add --context document")
    if split == "valid":
        print("note: --adapt is tuned on this very split; report --split test", file=sys.stderr)
    adapted, settings = _adapt(lm, corpus, split, adapt)
    return replace(plain, adaptation=adapt, adapted=adapted, settings=settings)


def _evaluated(
    lm: LanguageModel,
    name: str,
    result: Likelihood,
    context: str | None,
    open_vocabulary: int | None,
    characters: int,
) -> Evaluated:
    if not result.tokens:
        raise CorpusError(f"{name}: no words to evaluate")
    return Evaluated(
        name=name,
        result=result,
        model=lm.kind,
        vocabulary_size=len(lm.vocabulary),
        context=context or lm.context,
        open_vocabulary=open_vocabulary,
        opened=open_vocabulary and result.open_vocabulary(len(lm.vocabulary.words), open_vocabulary),
        characters=characters,
    )


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
@click.option("--split", type=Choice(["valid", "test"]), help="Split of a corpus.  [default: valid]")
@click.option("--context", type=Choice(CONTEXTS), help="How far the state is carried.  [default: as trained]")
@click.option(
    "--adapt",
    type=Choice(list(ADAPTATIONS)),
    help="Also adapt at test time, tuned on the validation split. temperature: rescale the softmax. "
    "cache: recent words get likelier. dynamic: the weights follow the text (takes minutes).",
)
@click.option(
    "--open-vocabulary",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also the perplexity over N words, with UNK's probability split among those the model lacks.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option(
    "--format",
    "format_",
    type=Choice(list(FORMATS)),
    help="For a FILE: every word, as `score` prints it, instead of a table. Lines without words are skipped.",
)
@click.option(
    "--sentences",
    type=Choice(SENTENCES),
    help="How a FILE is split.  [default: as the model's corpus was]",
)
@reading_options
@network_only_option
@device_option
@threads_option
def command(
    model: Path,
    data: str | None,
    split: str | None,
    context: str | None,
    adapt: str | None,
    open_vocabulary: int | None,
    as_json: bool,
    format_: str | None,
    sentences: str | None,
    column: str | None,
    field: str | None,
    encoding: str | None,
    clean: str | None,
    network_only: bool,
    device: str,
    threads: int | None,
) -> None:
    """Print the perplexity of MODEL (a run directory or a .safetensors file) on a text or a split.

    Without FILE or CORPUS_DIR, the run's own corpus is used. A FILE is anything that `preprocess` takes, and
    is split into sentences as the model's corpus was.
    """
    is_text = data is not None and not is_corpus(Path(data))
    if is_text and split is not None:
        raise InputError(f"{data}: --split is for a corpus; leave it out")
    if is_text and adapt is not None:
        raise InputError(f"{data}: --adapt is tuned on a validation split; give a corpus directory")
    if not is_text and format_ is not None:
        raise InputError("--format is for a text; give a FILE, or use --json")
    if format_ is not None and (as_json or open_vocabulary):
        raise ConfigError("--format prints every word; leave out --json and --open-vocabulary")
    prepare_cpu(threads)
    lm = load(model, device, network_only=network_only)
    if data is not None and is_text:
        text = _Text(lm, data, sentences, reading_of(column, field, encoding, clean))
        if format_ is not None:
            print_scores(lm, text, data, context, format_)
            return
        evaluated = _of_text(lm, text, data, context, open_vocabulary)
    else:
        corpus = open_matching_corpus(lm, corpus_of_run(model) if data is None else Path(data))
        evaluated = _of_split(lm, corpus, split or "valid", context, adapt, open_vocabulary)
    print(evaluated.as_json() if as_json else evaluated.as_table())
