"""Scores as other tools print them: KenLM, SRILM, LM Zoo and neural-complexity."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from langmodel.formats.score_style import IN_CELL, LN_OF_BASE, Style, six
from langmodel.inference.results import SentenceScore, WordScore
from langmodel.network.likelihood import perplexity
from langmodel.text.vocabulary import SPECIAL_TOKENS, START_ID, UNK_ID

BLANK_MARK = "\u2581"

UNK_TEXT, START_TEXT = SPECIAL_TOKENS[UNK_ID], SPECIAL_TOKENS[START_ID]


def _bits(nats: float) -> float:
    return nats / LN_OF_BASE["2"]


def _log10(nats: float) -> float:
    return nats / LN_OF_BASE["10"]


def _visible(word: str) -> str:
    """A word for a format whose columns stand between blanks; a model of characters has blanks for words."""
    return word if word.strip() else BLANK_MARK


def _masked(word: WordScore, style: Style) -> str:
    return UNK_TEXT if word.oov and style.mask_unknown else word.word


def kenlm(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
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


def srilm(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
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


def lm_zoo(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """LM Zoo's surprisal table: ids from 1, bits."""
    yield "sentence_id\ttoken_id\ttoken\tsurprisal"
    for sentence, score in enumerate(scores, start=1):
        for token, word in enumerate(score.words, start=1):
            shown = _masked(word, style).translate(IN_CELL)
            yield f"{sentence}\t{token}\t{shown}\t{six(_bits(-word.log_prob))}"


def neural_complexity(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
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
                f"{_visible(shown)} {sentence} {position} {len(shown)} {six(_bits(-word.log_prob))} "
                f"{six(entropy)} {six(reduction)}"
            )
            before = entropy
