"""What `rescore` and `tune-nbest` share: the options of an n-best list, and this model's scores for it."""

import sys
from collections import Counter
from collections.abc import Sequence

import click

from langmodel.cli.options import Choice
from langmodel.errors import ConfigError
from langmodel.inference.language_model import LanguageModel
from langmodel.nbest.formats import NBEST_FORMATS
from langmodel.nbest.hypotheses import Hypothesis
from langmodel.nbest.wording import JOINS, in_model_words
from langmodel.text.sources import input_name, read_raw_lines

SHOWN_WORDS = 3

format_option = click.option(
    "--format",
    "format_",
    type=Choice(list(NBEST_FORMATS)),
    required=True,
    help="; ".join(format.help for format in NBEST_FORMATS.values()) + ".",
)

join_option = click.option(
    "--join",
    type=Choice(JOINS),
    help="Join subword pieces into words: bpe marks them with @@, sentencepiece with \u2581.",
)

noise_option = click.option(
    "--noise", "noise_file", metavar="FILE", help="Non-words to leave out ([laugh]), one per line."
)

group_option = click.option(
    "--group", type=click.IntRange(min=1), help="opennmt: hypotheses for each source."
)

open_vocabulary_option = click.option(
    "--open-vocabulary",
    type=click.IntRange(min=1),
    metavar="N",
    help="Assume N words: UNK's probability is split among those that the model lacks.",
)


def read_noise(file: str | None) -> frozenset[str]:
    return frozenset(line.strip() for line in read_raw_lines(file) if line.strip()) if file else frozenset()


def read_hypotheses(
    files: Sequence[str], format_: str, group: int | None, join: str | None, noise: frozenset[str]
) -> list[Hypothesis]:
    """Of all files, in order, their texts as words."""
    chosen = NBEST_FORMATS[format_]
    return [
        in_model_words(hypothesis, join, noise)
        for file in files
        for hypothesis in chosen.read(read_raw_lines(file), input_name(file), group)
    ]


def refuse_needless_group(format_: str, group: int | None) -> None:
    if group is not None and format_ != "opennmt":
        raise ConfigError(f"--group is for --format opennmt; {format_} lists need none. Leave it out")


def log_probs(
    lm: LanguageModel, hypotheses: Sequence[Hypothesis], open_vocabulary: int | None
) -> list[float]:
    """Natural log, of each hypothesis. Unknown words, which may win as UNK what they should lose: told."""
    texts = [hypothesis.text for hypothesis in hypotheses]
    scores = lm.log_probs(texts, open_vocabulary=open_vocabulary)
    tokenized = [lm.pipeline.tokenize(text) for text in texts]
    unknown = Counter(word for words in tokenized for word in lm.unknown_words(words))
    if unknown:
        words = sum(map(len, tokenized))
        shown = ", ".join(word for word, _ in unknown.most_common(SHOWN_WORDS))
        counted = f"{unknown.total():,} of {words:,} words ({unknown.total() / words:.1%})"
        hint = "" if open_vocabulary else ". As UNK they look too likely: see --open-vocabulary"
        print(f"note: the model does not know {counted}, mostly {shown}{hint}", file=sys.stderr)
    return scores
