"""Requests -> what a model says, as rows of JSON; each is checked before and between its steps."""

import math
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

from langmodel.formats.score_style import finite
from langmodel.formats.score_tables import sentence_row
from langmodel.inference.drawing import SamplingRequest
from langmodel.inference.language_model import LanguageModel
from langmodel.inference.results import SentenceScore, WordScore
from langmodel.inference.settings import SamplingSettings
from langmodel.text.reading import read_sentences
from langmodel.text.vocabulary import END_ID, SPECIAL_TOKENS
from langmodel.web.requests import MAX_DRAWN_WORDS, BadRequest

Row = dict[str, Any]

Check = Callable[[], object]
"""Raises when the work is not wanted any more."""


def score(lm: LanguageModel, request: Row, check: Check) -> Iterator[Row]:
    """A row for each sentence, as `score --format jsonl` has it, with ranks and what was expected."""
    lines = request["text"].splitlines()
    if request["sentences"] == "own":
        lines = [sentence.text for sentence in read_sentences(lines, lm.pipeline)]
    elif request["sentences"] != "line":
        raise BadRequest("sentences must be line or own")
    for scored in lm.score_lines([line for line in lines if line.strip()], detail="expected"):
        check()
        yield _score_row(scored)


def _score_row(scored: SentenceScore) -> Row:
    return {
        **sentence_row(scored),
        "is_finite": math.isfinite(scored.log_prob),
        "words": [_word_row(word) for word in scored.words],
    }


def _word_row(word: WordScore) -> Row:
    return {
        "word": word.word,
        "log_prob": finite(word.log_prob),
        "oov": word.oov,
        "rank": word.rank,
        "entropy": None if word.entropy is None else finite(word.entropy),
        "expected": [
            {"word": other.word, "probability": finite(other.probability)} for other in word.expected or ()
        ],
    }


def next_words(lm: LanguageModel, request: Row, check: Check) -> Iterator[Row]:
    """One row: the likeliest words, each with the text as it stands with that word."""
    text, beginning = request["text"], ""
    given = request["words"]
    if given is not None and text:
        raise BadRequest("give text or words, not both")
    words = given if given is not None else lm.pipeline.tokenize(text)
    check()
    if request["complete"] and text and not text[-1].isspace() and given is None:
        kept = text[: len(text) - len(text.split()[-1])]
        beginning = text[len(kept) :]
        found = lm.next_words(kept, request["k"], beginning=beginning)
        if found:
            text, words = kept, lm.pipeline.tokenize(kept)
        else:
            beginning, found = "", lm.next_after(words, request["k"])
    else:
        found = lm.next_after(words, request["k"])
    yield {
        "unknown": lm.unknown_words(words),
        "beginning": beginning,
        "words": [
            {
                "word": other.word,
                "probability": finite(other.probability),
                "log_prob": finite(other.log_prob),
                "ends": other.word == SPECIAL_TOKENS[END_ID],
                "text": _continued(lm, text, words, other.word),
            }
            for other in found
        ],
    }


def _continued(lm: LanguageModel, text: str, words: list[str], word: str) -> str:
    """The text with one more word; what was typed stays as it was typed."""
    if word in SPECIAL_TOKENS:
        return text or lm.pipeline.detokenize(words)
    before, after = (lm.pipeline.detokenize(some) for some in (words, [*words, word]))
    if text and after.startswith(before):
        return text.rstrip() + after[len(before) :]
    return after


def sample(lm: LanguageModel, request: Row, check: Check) -> Iterator[Row]:
    """A row for each sentence, as it is drawn."""
    settings = SamplingSettings(**{field.name: request[field.name] for field in fields(SamplingSettings)})
    wanted = request["n"] * settings.sentences * max(settings.length, settings.max_length)
    if wanted > MAX_DRAWN_WORDS:
        raise BadRequest(
            f"n times sentences times length is {wanted:,} words; at most {MAX_DRAWN_WORDS:,} are drawn"
        )
    if settings.unk == "copy-rare":
        raise BadRequest("copy-rare needs the corpus, which a server does not have; choose another unk")
    what = SamplingRequest(
        prefix=request["prefix"], settings=settings, ban=request["ban"], include=request["include"]
    )
    for drawn, _ in lm.draw(request["n"], what, seed=request["seed"], check=check):
        yield {
            "text": drawn.text,
            "words": list(drawn.words),
            "log_prob": finite(drawn.log_prob),
            "finished": drawn.finished,
        }


CALLS = {"score": score, "next": next_words, "sample": sample}
