"""Tables with a row per word, as reading-time corpora have them: the same rows, with surprisal."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

from langmodel.errors import InputError
from langmodel.formats.experiment_tables import shown_cell
from langmodel.formats.score_style import LN_OF_BASE
from langmodel.inference.language_model import LanguageModel
from langmodel.inference.whitespace_words import WrittenWord, written_words
from langmodel.text.reading import read_sentences
from langmodel.text.sources import input_name, read_raw_lines
from langmodel.text.tables import csv_rows, named_columns

DELIMITERS = "\t,;"

WORDS = ("word", "ia_label")
TEXTS = ("item", "text_id", "story", "text")
SENTENCES = ("sentence_number", "sentence_id", "sentence")
NUMBERS = ("zone", "word_number", "ia_id", "position")
"""Names of columns, in lower case: of Natural Stories, of Provo, and of tables like them."""

ADDED = ("surprisal_base_{}", "model_words", "oov")


@dataclass(frozen=True)
class WordTable:
    """The rows of a table, and which of its words is which."""

    header: list[str]
    rows: list[list[str]]
    words: list[str]
    texts: list[str]
    sentences: list[str | None]
    keys: list[tuple[str, str]]
    """Rows of the same key that follow each other are of the same word: one per reader, say."""
    delimiter: str


def read_word_table(file: str) -> WordTable:
    """Raises InputError, naming the row, for a table without a column of words."""
    name = input_name(file)
    lines = read_raw_lines(file)
    first = next(lines, "")
    delimiter = next((mark for mark in DELIMITERS if mark in first), "\t")
    rows = csv_rows(chain([first], lines), delimiter, quoted=delimiter != "\t")
    try:
        header: list[str] = next(rows, [])
        found = list(_checked(rows, header, name))
    except csv.Error as error:
        raise InputError(f"{name}:{rows.line_num}: not a CSV row ({error}); a quote may be open") from None
    word = _column(header, WORDS)
    if word is None:
        raise InputError(
            f"{name}: no column of words ({', '.join(WORDS)}); its columns: {named_columns(header)}"
        )
    if not found:
        raise InputError(f"{name}: no words in it")
    text, sentence, number = (_column(header, names) for names in (TEXTS, SENTENCES, NUMBERS))
    return WordTable(
        header,
        found,
        [row[word].strip() for row in found],
        ["" if text is None else row[text] for row in found],
        [None if sentence is None else row[sentence] for row in found],
        [
            (row[text] if text is not None else "", row[number] if number is not None else f"{at}")
            for at, row in enumerate(found)
        ],
        delimiter,
    )


def _checked(rows: Any, header: Sequence[str], name: str) -> Iterator[list[str]]:
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise InputError(
                f"{name}:{rows.line_num}: {len(row)} cells where the first row has {len(header)}"
            )
        yield row


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    lower = [cell.strip().lower() for cell in header]
    return next((lower.index(name) for name in names if name in lower), None)


def with_surprisal(lm: LanguageModel, table: WordTable, base: str, context: str) -> Iterator[str]:
    """The table's own rows, each with its word's surprisal summed over the model's words in it.

    A text's words are put together and cut into sentences, by its column of sentences or by punctuation.
    """
    yield _line([*table.header, *(name.format(base) for name in ADDED)], table.delimiter)
    first_rows = [rows[0] for _, rows in _same_words(table)]
    scored = _scored(lm, table, first_rows, context)
    for (_, rows), word in zip(_same_words(table), scored, strict=True):
        surprisal = f"{-word.log_prob / LN_OF_BASE[base] + 0.0:.6f}" if word.words else ""
        for row in rows:
            yield _line([*table.rows[row], surprisal, word.words, word.oov], table.delimiter)


def _same_words(table: WordTable) -> Iterator[tuple[tuple[str, str], list[int]]]:
    for key, rows in groupby(range(len(table.rows)), key=lambda row: table.keys[row]):
        yield key, list(rows)


def _line(cells: Sequence[Any], delimiter: str) -> str:
    if delimiter == "\t":
        return "\t".join(str(shown_cell(cell)) for cell in cells)
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow([shown_cell(cell) for cell in cells])
    return line.getvalue()[:-1]


NOTHING = WrittenWord("", 0.0, 0, 0)


def _scored(lm: LanguageModel, table: WordTable, rows: Sequence[int], context: str) -> Iterator[WrittenWord]:
    """For each of the rows; a cell with several words has their sum, one without any has nothing."""
    for _, of_text in groupby(rows, key=lambda row: table.texts[row]):
        own = list(of_text)
        sentences = list(_sentences(lm, table, own))
        words = (word for score in lm.score_lines(sentences, context) for word in written_words(score))
        for row in own:
            yield _sum([next(words) for _ in table.words[row].split()])


def _sum(words: Iterable[WrittenWord]) -> WrittenWord:
    total = NOTHING
    for word in words:
        total = WrittenWord(
            f"{total.text} {word.text}".strip(),
            total.log_prob + word.log_prob,
            total.words + word.words,
            total.oov + word.oov,
        )
    return total


def _sentences(lm: LanguageModel, table: WordTable, rows: Sequence[int]) -> Iterator[str]:
    if table.sentences[rows[0]] is not None:
        for _, of_sentence in groupby(rows, key=lambda row: table.sentences[row]):
            yield " ".join(" ".join(table.words[row].split()) for row in of_sentence)
        return
    text = " ".join(" ".join(table.words[row].split()) for row in rows)
    yield from (placed.text for placed in read_sentences([text], lm.pipeline, "punkt"))
