import pytest
from hypothesis import given
from hypothesis import strategies as st

from langmodel.text.paragraphs import passages
from langmodel.text.pipeline import Pipeline
from langmodel.text.reading import read_sentences
from langmodel.text.sentences import listed_abbreviations, split_at_other_ends
from langmodel.text.sources import Reading
from langmodel.text.toktok import ToktokTokenizer
from langmodel.text.watching import TextWatch
from langmodel.text.wrapping import WrapWatch

PROSE = Pipeline(sentences="punkt", punkt=listed_abbreviations())

WRAPPED = [
    "It was late, and the dog had gone to sleep under",
    "  the table.  Nobody spoke. Mr. Smith looked at the",
    "clock again.",
    "",
    "Then it struck.",
]


def test_sentences_have_their_place_in_wrapped_text():
    found = list(read_sentences(WRAPPED, PROSE))
    assert [sentence.text for sentence in found] == [
        "It was late, and the dog had gone to sleep under the table.",
        "Nobody spoke.",
        "Mr. Smith looked at the clock again.",
        "Then it struck.",
    ]
    assert [(s.line, s.char_start, s.end_line, s.char_end) for s in found] == [
        (1, 0, 2, 12),
        (2, 14, 2, 27),
        (2, 28, 3, 12),
        (5, 0, 5, 15),
    ]
    assert sum(s.paragraph_characters for s in found) == sum(len(p) + 1 for p in passages(WRAPPED, "punkt"))


@given(st.lists(st.text(st.sampled_from("ab .!?\n “”。字"), max_size=30), max_size=12))
def test_places_point_at_the_sentence(lines):
    lines = [line.replace("\n", " ") for line in lines]
    for sentence in read_sentences(lines, PROSE):
        if sentence.line == sentence.end_line:
            assert lines[sentence.line - 1][sentence.char_start : sentence.char_end] == sentence.text
        else:
            assert lines[sentence.line - 1][sentence.char_start :].strip()[:1] == sentence.text[:1]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("今天下雨。我们不去了！“真的？”他说。", ["今天下雨。", "我们不去了！", "“真的？”", "他说。"]),
        ("वह घर गया। वह सो गया।", ["वह घर गया।", "वह सो गया।"]),
        ("هل رأيته؟ نعم رأيته۔", ["هل رأيته؟", "نعم رأيته۔"]),
        ("Սա է։ Նա գնաց։", ["Սա է։", "Նա գնաց։"]),
    ],
)
def test_sentence_ends_of_other_scripts(text, sentences):
    assert split_at_other_ends(text) == sentences
    assert PROSE.split_sentences(text) == sentences


def test_lines_without_blanks_are_joined_without():
    assert list(passages(["今天下雨，", "我们不去。", "", "字"], "punkt")) == ["今天下雨，我们不去。", "字"]


def test_elided_words_are_parted_and_put_together():
    tokenizer = ToktokTokenizer()
    words = tokenizer.tokenize("Qu'il aille dans l’été, dit-elle; « oui ».")
    assert words[:2] == ["Qu'", "il"]
    assert words[4:6] == ["l’", "été"]
    for text in (
        "Qu'il aille dans l’été, dit-elle.",
        'Er sagte: "Gut!" (Ja.)',
        "a...b c* 'd' e",
        "l'été: 9,5 %.",
    ):
        joined = tokenizer.detokenize(tokenizer.tokenize(text))
        assert joined == text.replace(" %", "%")


def watched(lines: list[str], **pipeline: str) -> str:
    watch = TextWatch(Reading())
    list(watch.seen(lines))
    return " ".join(watch.notes(Pipeline(**pipeline)))


def test_what_a_text_needs_is_told_with_its_flag():
    assert "--tokenizer jieba" in watched(["今天下雨，我们不去。"] * 9)
    assert "--tokenizer jieba" not in watched(["今天下雨，我们不去。"] * 9, tokenizer="character")
    assert "--tokenizer toktok" in watched(["L'homme qu'il aime n'est pas d'ici"] * 9)
    assert "toktok" not in watched(["It's what they don't say that isn't true."] * 9)
    assert "--clean gutenberg" in watched(["[Illustration]"])


def test_wrapped_lines_are_told_from_sentences():
    wrapped = (
        "the quick brown fox jumps over the lazy dog and then it goes on for a while until it " * 40
    ).split()
    lines, line = [], ""
    for word in wrapped:
        if len(line) + len(word) > 70:
            lines.append(line)
            line = ""
        line += f"{word} "
    sentences = [" ".join(wrapped[n : n + 3 + n % 23]) for n in range(0, 600, 5)]
    for text, expected in ((lines, True), (sentences, False), (["One.", "Two."] * 99, False)):
        watch = WrapWatch()
        for one in text:
            watch.look(one)
        assert watch.looks_wrapped == expected
