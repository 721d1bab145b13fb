"""Output formats of `langmodel score`: scores in, lines out; one function and one entry in FORMATS each."""

import json
from collections.abc import Iterator
from dataclasses import asdict, astuple, fields
from typing import Any

from langmodel.formats.score_page import html_page
from langmodel.formats.score_style import IN_CELL, Format, Style, finite, six
from langmodel.formats.score_tools import kenlm, lm_zoo, neural_complexity, srilm
from langmodel.inference.results import SentenceScore, TextPlace
from langmodel.inference.whitespace_words import written_words
from langmodel.text.alignment import whitespace_words, word_spans

PLACE = tuple(field.name for field in fields(TextPlace))


def _tsv(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """One row per line, or one per word; the text's own tabs and what else may end a line become blanks."""
    if style.per_word or style.written:
        yield from (_tsv_words if style.per_word else _tsv_written_words)(scores, style)
        return
    if style.header:
        place = "".join(f"{name}\t" for name in PLACE) if style.places else ""
        yield f"sentence_id\tlog_prob_base_{style.base}\ttokens\toov\tperplexity\t{place}text"
    for sentence, score in enumerate(scores, start=1):
        text = score.text.translate(IN_CELL)
        place = "".join(f"{value}\t" for value in astuple(score.place)) if score.place else ""
        yield (
            f"{sentence}\t{six(style.log(score.log_prob))}\t{score.tokens}\t{score.oov}"
            f"\t{score.perplexity:.4f}\t{place}{text}"
        )


def _tsv_words(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """A row for every word and for END. `input_word` numbers the line's own whitespace words."""
    base = style.base
    if style.header:
        place_names = list(PLACE) if style.places else []
        yield "\t".join(
            [
                "sentence_id",
                "token_id",
                "word",
                f"surprisal_base_{base}",
                f"log_prob_base_{base}",
                "oov",
                "rank",
                f"entropy_base_{base}",
                "input_word",
                "char_start",
                "char_end",
                *(f"sentence_{name}" for name in place_names),
            ]
        )
    for sentence, score in enumerate(scores, start=1):
        spans = word_spans(score.text, [word.word for word in score.words[:-1]])
        places = [*zip(whitespace_words(score.text, spans), *zip(*spans, strict=True), strict=True)]
        for token, word in enumerate(score.words, start=1):
            log_prob, entropy = style.log(word.log_prob), style.log(word.entropy or 0.0)
            place = places[token - 1] if token <= len(places) else ("", len(score.text), len(score.text))
            yield "\t".join(
                [
                    str(sentence),
                    str(token),
                    word.word.translate(IN_CELL),
                    six(-log_prob),
                    six(log_prob),
                    f"{word.oov:d}",
                    str(word.rank),
                    six(entropy),
                    *map(str, place),
                    *(map(str, astuple(score.place)) if score.place else ()),
                ]
            )


def _tsv_written_words(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """A row for every whitespace word, with what the model's words in it add up to; END has none."""
    base = style.base
    if style.header:
        place_names = [f"sentence_{name}" for name in PLACE] if style.places else []
        yield "\t".join(
            [
                "sentence_id",
                "input_word",
                "word",
                f"surprisal_base_{base}",
                "model_words",
                "oov",
                *place_names,
            ]
        )
    for sentence, score in enumerate(scores, start=1):
        for number, word in enumerate(written_words(score), start=1):
            yield "\t".join(
                [
                    str(sentence),
                    str(number),
                    word.text.translate(IN_CELL),
                    six(-style.log(word.log_prob)),
                    str(word.words),
                    str(word.oov),
                    *(map(str, astuple(score.place)) if score.place else ()),
                ]
            )


def sentence_row(score: SentenceScore, style: Style = Style()) -> dict[str, Any]:
    """What JSON says of a sentence as a whole."""
    return {
        "text": score.text,
        "log_prob": finite(style.log(score.log_prob)),
        "tokens": score.tokens,
        "oov": score.oov,
        "perplexity": finite(score.perplexity),
    }


def _jsonl(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    for score in scores:
        row: dict[str, Any] = {
            **sentence_row(score, style),
            "words": [
                {"word": word.word, "log_prob": finite(style.log(word.log_prob)), "oov": word.oov}
                for word in score.words
            ],
        }
        if score.place is not None:
            row |= asdict(score.place)
        yield json.dumps(row, ensure_ascii=False)


FORMATS: dict[str, Format] = {
    "tsv": Format(
        _tsv,
        "a header that states the base, then a row per line (--per-word: per word)",
        lambda s: "rank" if s.per_word else "log_prob",
    ),
    "jsonl": Format(_jsonl, "an object per line, with its words"),
    "kenlm": Format(kenlm, "as KenLM's query prints (base 10)"),
    "srilm": Format(srilm, "as ngram -ppl -debug N prints (base 10)"),
    "html": Format(
        html_page, "a page: each word coloured by its surprisal or its rank", lambda s: "expected"
    ),
    "lm-zoo": Format(lm_zoo, "LM Zoo's surprisal table (base 2)"),
    "neural-complexity": Format(
        neural_complexity, "word, surprisal, entropy and its reduction (base 2)", lambda s: "rank"
    ),
}
