"""Odd text, as one table: what each file becomes, or the line that refuses it."""

import unicodedata

import pytest

from langmodel.errors import InputError
from langmodel.text.corpus import Corpus
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.vocabulary import END_ID, UNK_ID

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one emoji of three, joined by zero-width joiners
NFC, NFD = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")

SENTENCES: list[tuple[str, bytes, list[list[str]]]] = [
    ("LF", b"a b\nc\n", [["a", "b"], ["c"]]),
    ("CRLF", b"a b\r\nc\r\n", [["a", "b"], ["c"]]),
    ("lone CR", b"a b\rc\r", [["a", "b"], ["c"]]),
    ("U+2028", "a b\u2028c\n".encode(), [["a", "b"], ["c"]]),
    ("U+2029", "a b\u2029c\n".encode(), [["a", "b"], ["c"]]),
    ("U+0085", "a b\x85c\n".encode(), [["a", "b"], ["c"]]),
    ("no end of line at the end", b"a b\nc", [["a", "b"], ["c"]]),
    ("a BOM", b"\xef\xbb\xbfa b\nc\n", [["a", "b"], ["c"]]),
    ("blank lines", b"\n\na b\n\n \t\nc\n\n", [["a", "b"], ["c"]]),
    ("one word", b"a\n", [["a"]]),
    ("one type", b"a a a\na\n", [["a", "a", "a"], ["a"]]),
    ("NFC and NFD, which are kept apart", f"{NFC} {NFD}\n".encode(), [[NFC, NFD]]),
    ("right to left", "שלום עולם\nمرحبا بالعالم\n".encode(), [["שלום", "עולם"], ["مرحبا", "بالعالم"]]),
    ("right-to-left marks", "\u200fשלום\u200f a\n".encode(), [["\u200fשלום\u200f", "a"]]),
    ("joined emoji", f"a {FAMILY} b\n".encode(), [["a", FAMILY, "b"]]),
    ("a zero-width space, which separates nothing", "a\u200bb c\n".encode(), [["a\u200bb", "c"]]),
    ("a no-break space, which separates", "a\u00a0b\n".encode(), [["a", "b"]]),
    (
        "special-token look-alikes",
        b"SENTENCE_START UNKNOWN_TOKEN <unk> </s> <s>\n",
        [["SENTENCE_START", "UNKNOWN_TOKEN", "<unk>", "</s>", "<s>"]],
    ),
    ("mixed scripts", "a б γ 字 ก\n".encode(), [["a", "б", "γ", "字", "ก"]]),
]

REFUSED = [
    ("nothing", b"", "no words"),
    ("whitespace", b" \n\t\n\n", "no words"),
    ("invalid UTF-8", b"ab\ncaf\xe9\n", "not UTF-8 at byte 6, line 2"),
    ("a cut UTF-8 sequence", b"a\n\xe2\x82", "not UTF-8 at byte 2, line 2"),
    ("UTF-16, little end first", "a b".encode("utf-16"), "UTF-16 text"),
    ("UTF-16, big end first", b"\xfe\xff\0a", "UTF-16 text"),
    ("UTF-32", "a".encode("utf-32"), "UTF-32 text"),
    ("UTF-16 without a mark", "ab\n".encode("utf-16-le"), "a NUL byte at byte 1, line 1"),
    ("a NUL byte", b"a b\nc\0d\n", "a NUL byte at byte 5, line 2"),
]


def corpus_of(tmp_path, data: bytes, **settings: object) -> Corpus:
    (tmp_path / "text").write_bytes(data)
    values = {"tokenizer": "whitespace", "sentences": "line", "case": "keep", **settings}
    config = PreprocessConfig(**values, valid_fraction=0.0, test_fraction=0.0)
    return preprocess([str(tmp_path / "text")], tmp_path / "corpus", config)


def sentences_of(corpus: Corpus) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for id in corpus.split("train").tolist():
        if id == END_ID:
            found.append([])
        else:
            assert id > END_ID, "a special token of the network stands for a word of the text"
            found[-1].append(corpus.vocabulary.word_of(id))
    return found[:-1]


@pytest.mark.parametrize(("name", "data", "sentences"), SENTENCES, ids=[row[0] for row in SENTENCES])
def test_odd_text_becomes(tmp_path, name, data, sentences):
    assert sentences_of(corpus_of(tmp_path, data)) == sentences


@pytest.mark.parametrize(("name", "data", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_text_that_cannot_be_used_is_refused(tmp_path, name, data, message):
    with pytest.raises(InputError, match=message):
        corpus_of(tmp_path, data)
    assert not (tmp_path / "corpus").exists()


def test_the_vocabulary_never_breaks_at_odd_line_ends(tmp_path):
    # U+001C and U+000B end a line for str.splitlines, but not for us: they are whitespace inside one.
    corpus = corpus_of(tmp_path, b"a\x1cb c\x0bd\n")
    assert sentences_of(corpus) == [["a", "b", "c", "d"]]


def test_an_all_unknown_sentence_stays_and_is_counted(tmp_path):
    corpus = corpus_of(tmp_path, b"a a a\nb c\na\n", vocabulary_size=4)
    assert corpus.split("train").tolist() == [3, 3, 3, END_ID, UNK_ID, UNK_ID, END_ID, 3, END_ID]
    assert corpus.statistics["train"].unknown == 2
