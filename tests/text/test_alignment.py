import pytest
from hypothesis import given
from hypothesis import strategies as st

from langmodel.errors import InputError
from langmodel.text.alignment import whitespace_words, word_spans
from langmodel.text.tokenizers import BYTES, TOKENIZERS, make_tokenizer

texts = st.lists(
    st.sampled_from(
        [
            "He",
            "said",
            "é",
            "😀",
            "<0xc3>",
            ",",
            '"',
            "''",
            "``",
            "don't",
            ".",
            "(",
            ")",
            " ",
            " ",
            "\t",
            "中",
            "cannot",
        ]
    ),
    max_size=15,
).map("".join)


@given(texts, st.sampled_from(list(TOKENIZERS)))
def test_the_spans_of_any_tokenizer_cover_all_but_whitespace_in_order(text, name):
    words = make_tokenizer(name).tokenize(text)
    spans = word_spans(text, words)
    at = 0
    for word, (start, end) in zip(words, spans, strict=True):
        assert text[at:start].strip() == ""
        assert (
            text[start:end] == word or word in ("``", "''", "`", " ") or (word in BYTES and end - start < 2)
        )
        at = end
    assert text[at:].strip() == ""


def test_words_join_back_to_the_texts_own():
    text = ' The  keys, "to" don\'t.'
    words = make_tokenizer("nltk").tokenize(text)
    spans = word_spans(text, words)
    numbers = whitespace_words(text, spans)
    joined = {
        n: "".join(text[s:e] for (s, e), m in zip(spans, numbers, strict=True) if m == n) for n in numbers
    }
    assert list(joined.values()) == text.split()


def test_words_of_another_text_are_refused():
    with pytest.raises(InputError, match="not at character"):
        word_spans("the cat", ["the", "dog"])
