"""Output formats of `langmodel score`: scores in, lines out; one function and one entry in FORMATS each."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any

from langmodel.formats.score_page import html_page
from langmodel.inference.results import SentenceScore, TextPlace, WordScore
from langmodel.inference.whitespace_words import written_words
from langmodel.network.likelihood import perplexity
from langmodel.text.alignment import whitespace_words, word_spans
from langmodel.text.vocabulary import SPECIAL_TOKENS, START_ID, UNK_ID

LN_OF_BASE = {"e": 1.0, "2": math.log(2), "10": math.log(10)}

PLACE = tuple(field.name for field in fields(TextPlace))

BLANK_MARK = "\u2581"

IN_CELL = str.maketrans(dict.fromkeys("\t\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", " "))
"""What would cut a cell, or a row, for one program or another."""

UNK_TEXT, START_TEXT = SPECIAL_TOKENS[UNK_ID], SPECIAL_TOKENS[START_ID]


@dataclass(frozen=True)
class Style:
    """Settings that every output format receives."""

    base: str = "e"
    per_word: bool = False
    header: bool = True
    file: str = "-"
    """The input's name, for formats that print it."""
    srilm_debug: int = 0
    srilm_unk: bool = False
    """SRILM's -unk: an unknown word is the word <unk>. Without it, unknown words are left out."""
    places: bool = False
    """tsv, jsonl: with the place of each sentence in its text."""
    written: bool = False
    """tsv: a row for each whitespace word of the text."""
    mask_unknown: bool = False
    """lm-zoo, neural-complexity: a word that the model does not know is shown as <unk>."""

    def log(self, natural: float) -> float:
        return natural / LN_OF_BASE[self.base]


@dataclass(frozen=True)
class Format:
    """What writes a format, and what it needs to know of each word."""

    write: Callable[[Iterator[SentenceScore], Style], Iterator[str]]
    help: str
    detail: Callable[[Style], str] = lambda style: "log_prob"
    """What it shows of each word: more than its log-probability takes passes over every distribution."""


def _bits(nats: float) -> float:
    return nats / LN_OF_BASE["2"]


def _log10(nats: float) -> float:
    return nats / LN_OF_BASE["10"]


def _six(value: float) -> str:
    """Six decimals, without a minus in front of nothing."""
    shown = f"{value:.6f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def _visible(word: str) -> str:
    """A word for a format whose columns stand between blanks; a model of characters has blanks for words."""
    return word if word.strip() else BLANK_MARK


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
            f"{sentence}\t{_six(style.log(score.log_prob))}\t{score.tokens}\t{score.oov}"
            f"\t{score.perplexity:.4f}\t{place}{text}"
        )


def _tsv_words(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """A row for every word and for END. `input_word` numbers the line's own whitespace words."""
    base = style.base
    if style.header:
        place_names = list(PLACE) if style.places else []
        yield "\t".join([
            "sentence_id", "token_id", "word", f"surprisal_base_{base}", f"log_prob_base_{base}", "oov",
            "rank", f"entropy_base_{base}", "input_word", "char_start", "char_end",
            *(f"sentence_{name}" for name in place_names),
        ])  # fmt: skip
    for sentence, score in enumerate(scores, start=1):
        spans = word_spans(score.text, [word.word for word in score.words[:-1]])
        places = [*zip(whitespace_words(score.text, spans), *zip(*spans, strict=True), strict=True)]
        for token, word in enumerate(score.words, start=1):
            log_prob, entropy = style.log(word.log_prob), style.log(word.entropy or 0.0)
            place = places[token - 1] if token <= len(places) else ("", len(score.text), len(score.text))
            yield "\t".join([
                str(sentence), str(token), word.word.translate(IN_CELL), _six(-log_prob), _six(log_prob),
                f"{word.oov:d}", str(word.rank), _six(entropy), *map(str, place),
                *(map(str, astuple(score.place)) if score.place else ()),
            ])  # fmt: skip


def _tsv_written_words(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """A row for every whitespace word, with what the model's words in it add up to; END has none."""
    base = style.base
    if style.header:
        place_names = [f"sentence_{name}" for name in PLACE] if style.places else []
        yield "\t".join([
            "sentence_id", "input_word", "word", f"surprisal_base_{base}", "model_words", "oov", *place_names,
        ])  # fmt: skip
    for sentence, score in enumerate(scores, start=1):
        for number, word in enumerate(written_words(score), start=1):
            yield "\t".join([
                str(sentence), str(number), word.text.translate(IN_CELL), _six(-style.log(word.log_prob)),
                str(word.words), str(word.oov), *(map(str, astuple(score.place)) if score.place else ()),
            ])  # fmt: skip


def _masked(word: WordScore, style: Style) -> str:
    return UNK_TEXT if word.oov and style.mask_unknown else word.word


def finite(value: float) -> float | None:
    """JSON has neither infinity nor NaN."""
    return value if math.isfinite(value) else None


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


def _kenlm(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """As KenLM's `query` prints, log10. A word's n-gram length counts its whole history, <s> included."""
    total = known = 0.0
    tokens = oov = 0
    for score in scores:
        words = "".join(
            f"{_visible(word.word)}={word.id} {length} {_log10(word.log_prob):.6g}\t"
            for length, word in enumerate(score.words, start=2)
        )
        yield f"{words}Total: {_log10(score.log_prob):.6g} OOV: {score.oov}"
        likelihood = score.likelihood
        total += likelihood.log_prob
        known += likelihood.log_prob + likelihood.oov_nll
        tokens += likelihood.tokens
        oov += likelihood.oov
    yield f"Perplexity including OOVs:\t{_six_digits(total, tokens)}"
    yield f"Perplexity excluding OOVs:\t{_six_digits(known, tokens - oov)}"
    yield f"OOVs:\t{oov}"
    yield f"Tokens:\t{tokens}"


def _six_digits(log_prob: float, tokens: int, undefined: str = "nan") -> str:
    """The perplexity of a natural log-probability."""
    return f"{perplexity(-log_prob, tokens):.6g}" if tokens > 0 else undefined


@dataclass
class _SrilmCounts:
    sentences: int = 0
    words: int = 0
    oov: int = 0
    log_prob: float = 0.0

    def add(self, words: list[WordScore], style: Style) -> None:
        self.sentences += 1
        self.words += len(words) - 1
        for word in words:
            if word.oov and not style.srilm_unk:
                self.oov += 1
            else:
                self.log_prob += word.log_prob

    def lines(self, head: str) -> Iterator[str]:
        scored = self.words - self.oov
        if not self.sentences:
            yield f"{head}0 sentences, 0 words, 0 OOVs"
            return
        yield f"{head}{self.sentences} sentences, {self.words} words, {self.oov} OOVs"
        yield (
            f"0 zeroprobs, logprob= {_log10(self.log_prob):.6g} "
            f"ppl= {_six_digits(self.log_prob, scored + self.sentences, 'undefined')} "
            f"ppl1= {_six_digits(self.log_prob, scored, 'undefined')}"
        )


def _srilm(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """As `ngram -ppl -debug N` prints, log10, with [rnn] where SRILM names the n-gram that was used."""
    file = _SrilmCounts()
    for score in scores:
        words = list(score.words)
        if len(words) == 1:
            continue  # SRILM reads past lines without words
        file.add(words, style)
        if style.srilm_debug < 1:
            continue
        yield " ".join(_visible(word.word) for word in words[:-1])
        if style.srilm_debug >= 2:
            history = START_TEXT
            for at, word in enumerate(words):
                shown = UNK_TEXT if word.oov else _visible(word.word)
                given = history if at == 0 else f"{history} ..."
                if word.oov and not style.srilm_unk:
                    result = "[OOV] 0 [ -inf ]"
                else:
                    result = f"[rnn] {math.exp(word.log_prob):.6g} [ {_log10(word.log_prob):.6g} ]"
                yield (
                    f"\tp( {shown} | {given}) \t= {result}"
                    if at
                    else f"\tp( {shown} | {given} ) \t= {result}"
                )
                history = shown
        sentence = _SrilmCounts()
        sentence.add(words, style)
        yield from sentence.lines("")
        yield ""
    yield from file.lines(f"file {style.file}: ")


def _lm_zoo(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """LM Zoo's surprisal table: ids from 1, bits."""
    yield "sentence_id\ttoken_id\ttoken\tsurprisal"
    for sentence, score in enumerate(scores, start=1):
        for token, word in enumerate(score.words, start=1):
            shown = _masked(word, style).translate(IN_CELL)
            yield f"{sentence}\t{token}\t{shown}\t{_six(_bits(-word.log_prob))}"


def _neural_complexity(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """neural-complexity's table: ids from 0, bits, no END; entred is the fall in entropy, never negative.

    Lines without words are not numbered.
    """
    yield "word sentid sentpos wlen surp entropy entred"
    for sentence, score in enumerate(score for score in scores if score.tokens > 1):
        before: float | None = None
        for position, word in enumerate(score.words[:-1]):
            entropy, shown = _bits(word.entropy or 0.0), _masked(word, style)
            reduction = 0.0 if before is None else max(0.0, before - entropy)
            yield (
                f"{_visible(shown)} {sentence} {position} {len(shown)} {_six(_bits(-word.log_prob))} "
                f"{_six(entropy)} {_six(reduction)}"
            )
            before = entropy


FORMATS: dict[str, Format] = {
    "tsv": Format(
        _tsv,
        "a header that states the base, then a row per line (--per-word: per word)",
        lambda s: "rank" if s.per_word else "log_prob",
    ),
    "jsonl": Format(_jsonl, "an object per line, with its words"),
    "kenlm": Format(_kenlm, "as KenLM's query prints (base 10)"),
    "srilm": Format(_srilm, "as ngram -ppl -debug N prints (base 10)"),
    "html": Format(
        html_page, "a page: each word coloured by its surprisal or its rank", lambda s: "expected"
    ),
    "lm-zoo": Format(_lm_zoo, "LM Zoo's surprisal table (base 2)"),
    "neural-complexity": Format(
        _neural_complexity, "word, surprisal, entropy and its reduction (base 2)", lambda s: "rank"
    ),
}
