"""Between the words that people read and name, and the ids that are drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from langmodel.inference.results import NextWord, SampledSentence, SentenceScore, WordScore
from langmodel.inference.sampling import DrawnSentence
from langmodel.inference.scoring import Scores
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import END_ID, SPECIAL_TOKENS, UNK_ID, Vocabulary

END_TEXT = SPECIAL_TOKENS[END_ID]


def spelled(word: str, pipeline: Pipeline, vocabulary: Vocabulary) -> list[int]:
    """The ids of what a user names: one, or several where the tokenizer cuts it; none if a part is unknown.

    What the corpus calls unknown is UNK.
    """
    if pipeline.means_unknown(word):
        return [UNK_ID]
    for form in (pipeline.normalize(word), *pipeline.normalize_sentence([word])):
        if (id := vocabulary.id_of(form)) != UNK_ID:
            return [id]
    ids = pipeline.encode(pipeline.tokenize(word), vocabulary)
    return [] if UNK_ID in ids else ids


def sentence_in_words(
    drawn: DrawnSentence, prefix: Sequence[Sequence[str]], pipeline: Pipeline, vocabulary: Vocabulary
) -> SampledSentence:
    """The sentence, or passage, in words; those of the prefix (one list per sentence) as they were given, but
    for their case.
    """
    given = sum(map(len, prefix)) + max(0, len(prefix) - 1)
    new = drawn.ids[given:]
    sentences = [[*pipeline.normalize_sentence(words)] for words in prefix] or [[]]
    for part, ids in enumerate(_split(new)):
        if part:
            sentences.append([])
        sentences[-1] += pipeline.decode(ids, vocabulary)
    return SampledSentence(
        tuple(word for sentence in sentences for word in sentence),
        together(sentences, pipeline),
        drawn.log_prob,
        drawn.log_kept,
        drawn.finished,
        has_unk=UNK_ID in new,
    )


def together(sentences: Sequence[Sequence[str]], pipeline: Pipeline) -> str:
    """Sentences as running text."""
    blank = "" if pipeline.tokenizer == "jieba" else " "
    return blank.join(pipeline.detokenize(sentence) for sentence in sentences)


def _split(ids: Sequence[int]) -> list[list[int]]:
    """What stands between the ENDs."""
    parts: list[list[int]] = [[]]
    for id in ids:
        if id == END_ID:
            parts.append([])
        else:
            parts[-1].append(id)
    return parts


def fill_unknown(
    sentence: SampledSentence,
    ids: Sequence[int],
    given: int,
    rare_words: Vocabulary,
    pipeline: Pipeline,
    generator: torch.Generator,
) -> SampledSentence:
    """With a rare word for every UNK after the `given` words, each drawn in proportion to its count."""
    places = [at for at, id in enumerate(ids) if id == UNK_ID and at >= given]
    if not places:
        return sentence
    counts = torch.tensor(rare_words.counts, dtype=torch.float64)
    drawn = torch.multinomial(counts, len(places), replacement=True, generator=generator)
    words = list(sentence.words)
    for place, number in zip(places, drawn.tolist(), strict=True):
        words[place] = rare_words.words[number]
    return replace(sentence, words=tuple(words), text=pipeline.detokenize(words), filled=tuple(places))


class ScoredLine(NamedTuple):
    text: str
    words: list[str]
    ids: list[int]
    scores: Scores
    """A row for every word and for END, as the measures of scoring.py give them."""


def sentence_score(line: ScoredLine, vocabulary: Vocabulary) -> SentenceScore:
    shown = zip([*line.words, END_TEXT], [*line.ids, END_ID], line.scores.tolist(), strict=True)
    return SentenceScore(line.text, tuple(_word_score(*word, vocabulary) for word in shown))


def _word_score(word: str, id: int, row: list[float], vocabulary: Vocabulary) -> WordScore:
    """`row` holds what the measure gave: log p; entropy and rank; ids and log p of the words expected."""
    log_prob, details, expected = row[0], row[1:3], row[3:]
    return WordScore(
        word,
        log_prob,
        id == UNK_ID,
        id,
        details[0] if details else None,
        int(details[1]) if details else None,
        tuple(
            NextWord(vocabulary.word_of(int(other)), other_log_prob)
            for other, other_log_prob in zip(
                expected[: len(expected) // 2], expected[len(expected) // 2 :], strict=True
            )
        )
        if expected
        else None,
    )


def beginning_with(beginning: str, ids: Iterable[int], vocabulary: Vocabulary) -> list[int]:
    """Those of the ids whose words begin so, in any case; special tokens are no words."""
    words = (id for id in ids if id >= len(SPECIAL_TOKENS))
    return [id for id in words if vocabulary.word_of(id).lower().startswith(beginning.lower())]
