"""ARPA files, the plain-text form of n-grams that KenLM and SRILM read and write (log10)."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from langmodel.errors import InputError
from langmodel.ngrams.packed import Level, PackedNgrams, encoded
from langmodel.text.sources import read_lines
from langmodel.text.vocabulary import END_ID, SPECIAL_TOKENS, START_ID, UNK_ID, Vocabulary

MAX_ORDER = 9

SPECIAL = {"<unk>": UNK_ID, "<UNK>": UNK_ID, "<s>": START_ID, "</s>": END_ID}

LEAST = 1e-30
"""A word of a smaller probability counts as lacking: as float32 it would have none."""

NEVER = -99.0
"""How ARPA files write log10 of zero."""


@dataclass(frozen=True)
class ArpaNgrams:
    """What was read of a file, in the ids of a vocabulary."""

    ngrams: PackedNgrams
    words: int
    """In the file, special tokens left out."""
    matched: int
    """Of the vocabulary's words, those that the file has."""


def read_arpa(path: Path, vocabulary: Vocabulary) -> ArpaNgrams:
    """N-grams whose words are all in the vocabulary, matched by spelling.

    Words of the vocabulary that the file lacks share its <unk> with UNK; n-grams with words that the
    vocabulary lacks are left out, and what they had falls to shorter contexts. Raises InputError for a file
    that is no ARPA file, naming the line.
    """
    lines = enumerate(read_lines(str(path)), start=1)
    counts = _header(path, lines)
    ids = {**{word: id for id, word in enumerate(vocabulary.words, len(SPECIAL_TOKENS))}, **SPECIAL}
    levels: list[Level] = []
    single: dict[int, float] = {}
    words = 0
    numbers: dict[tuple[int, ...], int] = {(id,): id for id in range(len(vocabulary))}
    lower: dict[tuple[int, ...], float] = {}
    backoff: dict[tuple[int, ...], float] = {}
    for n in range(1, len(counts) + 1):
        found: dict[tuple[int, ...], float] = {}
        weights: dict[tuple[int, ...], float] = {}
        for row_words, log_prob, weight in _section(path, lines, n, counts[n - 1]):
            words += n == 1 and row_words[0] not in SPECIAL
            if all(word in ids for word in row_words):
                key = tuple(ids[word] for word in row_words)
                found[key] = 10.0**log_prob
                weights[key] = 10.0**weight
        if n == 1:
            single = {key[0]: p for key, p in found.items()}
        else:
            kept = sorted(key for key in found if key[:-1] in numbers and key[-1] != START_ID)
            parts = [
                max(found[key] - backoff.get(key[:-1], 1.0) * _lower(lower, backoff, key[1:]), 0.0)
                for key in kept
            ]
            children = torch.zeros(len(numbers), dtype=torch.int32)
            for key in kept:
                children[numbers[key[:-1]]] += 1
            levels.append(
                Level(
                    torch.tensor([key[-1] for key in kept], dtype=torch.int32),
                    encoded(torch.tensor(parts, dtype=torch.double)),
                    children,
                )
            )
            numbers = {key: number for number, key in enumerate(kept)}
        lower |= found
        backoff |= weights
    unigrams = _unigrams(single, len(vocabulary))
    matched = sum(word_id in single for word_id in range(len(SPECIAL_TOKENS), len(vocabulary)))
    return ArpaNgrams(PackedNgrams(unigrams, levels), words, matched)


def _lower(
    probabilities: dict[tuple[int, ...], float], backoff: dict[tuple[int, ...], float], key: tuple[int, ...]
) -> float:
    """p(last | the words before it), as ARPA defines it: the n-gram's, or the backed-off shorter one's."""
    weight = 1.0
    while key not in probabilities and len(key) > 1:
        weight *= backoff.get(key[:-1], 1.0)
        key = key[1:]
    return weight * probabilities.get(key, 0.0)


def _unigrams(single: dict[int, float], size: int) -> torch.Tensor:
    unknown = single.get(UNK_ID, 0.0)
    missing = [id for id in range(size) if id not in (START_ID, UNK_ID) and single.get(id, 0.0) < LEAST]
    share = max(unknown, 1e-7) / (len(missing) + 1)
    unigrams = torch.tensor([single.get(id, 0.0) for id in range(size)], dtype=torch.double)
    unigrams[[UNK_ID, *missing]] = share
    unigrams[START_ID] = 0.0
    return (unigrams / unigrams.sum()).float()


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> list[int]:
    """How many n-grams of each order there are."""
    counts: list[int] = []
    seen = False
    for number, line in lines:
        line = line.strip()
        if line == "\\data\\":
            seen = True
        elif seen and line.startswith("ngram "):
            order, _, count = line.removeprefix("ngram ").partition("=")
            if (
                order.strip() != str(len(counts) + 1)
                or not count.strip().isdigit()
                or len(counts) == MAX_ORDER
            ):
                raise InputError(f"{path}: line {number} is not a count of n-grams ({line[:40]!r})")
            counts.append(int(count[:12]))
        elif seen and line == "\\1-grams:" and counts:
            return counts
        elif line and (seen or number > 100):
            break
    raise InputError(f"{path}: not an ARPA file; it should begin with \\data\\ and counts of n-grams")


def _section(
    path: Path, lines: Iterable[tuple[int, str]], n: int, count: int
) -> Iterator[tuple[list[str], float, float]]:
    """The words, log10 probability and log10 backoff weight of each n-gram, up to the next section."""
    read = 0
    for number, line in lines:
        line = line.strip()
        if line in (f"\\{n + 1}-grams:", "\\end\\"):
            break
        if not line:
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        if "\t" not in line:
            fields = [fields[0], " ".join(fields[1 : n + 1]), *fields[n + 1 :]]
        row_words = fields[1].split() if len(fields) > 1 else []
        try:
            log_prob, weight = float(fields[0]), float(fields[2]) if len(fields) > 2 else 0.0
        except ValueError:
            log_prob = weight = math.nan
        if (
            len(row_words) != n
            or not (log_prob <= 0 or math.isclose(log_prob, 0, abs_tol=1e-6))
            or not math.isfinite(weight)
        ):
            raise InputError(f"{path}: line {number} is not an n-gram of {n} words ({line[:40]!r})")
        read += 1
        yield row_words, max(log_prob, NEVER), weight
    if read != count:
        raise InputError(f"{path}: {read:,} n-grams of {n} words, where its head says {count:,}")


def arpa_lines(ngrams: PackedNgrams, vocabulary: Vocabulary) -> Iterator[str]:
    """The n-grams as an ARPA file's lines: interpolated probabilities, and what contexts leave over."""
    sizes = [len(vocabulary), *(len(level.words_G) for level in ngrams.levels)]
    yield "\\data\\"
    for n, size in enumerate(sizes, start=1):
        yield f"ngram {n}={size}"
    names: list[tuple[int, ...]] = [(id,) for id in range(len(vocabulary))]
    probability = ngrams.unigrams_V.double() / ngrams.unigrams_V.double().sum()
    for n in range(1, ngrams.order + 1):
        yield ""
        yield f"\\{n}-grams:"
        weights = ngrams.left_over(n) if n < ngrams.order else None
        for place, (name, p) in enumerate(zip(names, probability.tolist(), strict=True)):
            log_prob = math.log10(p) if p > 0 else NEVER
            text = " ".join(vocabulary.word_of(id) for id in name)
            weight = "" if weights is None else f"\t{math.log10(float(weights[place])):.7f}"
            yield f"{log_prob:.7f}\t{text}{weight}"
        if n < ngrams.order:
            level = ngrams.levels[n - 1]
            parents = torch.repeat_interleave(torch.arange(len(names)), level.children_P.long())
            names = [
                (*names[parent], word)
                for parent, word in zip(parents.tolist(), level.words_G.tolist(), strict=True)
            ]
            ids = torch.tensor(names)
            contexts = ngrams.contexts(ids[:, :-1].t().contiguous(), ngrams.no_context(len(ids)))[-1]
            probability = ngrams.probabilities(contexts, ids[:, -1]).double()
    yield ""
    yield "\\end\\"
