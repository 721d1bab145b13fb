import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from nltk.tokenize.destructive import NLTKWordTokenizer

from langmodel.errors import ConfigError
from langmodel.text.tokenizers import TOKENIZERS, NltkTokenizer, make_tokenizer

FRAGMENTS = [
    "'",
    '"',
    "''",
    "``",
    "`",
    ".",
    "..",
    "...",
    ",",
    ",,",
    ":",
    ";",
    "can",
    "not",
    "cannot",
    "Cannot.",
    "wanna",
    "gonna",
    "n't",
    "don't",
    "'s",
    "'S",
    "'ll",
    "s'",
    "a",
    "x.",
    "a,",
    "no:",
    "5",
    "3,5",
    "1:2",
    "(",
    ")",
    "[",
    "]",
    ">",
    "<",
    "{",
    "“",
    "”",
    "’",
    "‘",
    "»",
    "«",
    "„",
    "?",
    "!",
    "--",
    "-",
    "—",
    "@",
    "*",
    "#",
    "%",
    "$",
    "&",
    "more'n",
    "'t",
    "'tis",
    "'twas",
    "is",
    "gimme",
    "é",
    "中文",
    "\u200d",
    "U.S.",
    "it's",
    "x-y",
    "gonna-be",
    "-",
    "well-known",
    "a-cannot",
    "dog's.",
    "'s-x",
    "5-6,",
    "no-one's;",
    "A's",
    " ",
    " ",
    " ",
    " ",
    "\t",
    "\n",
    "\u00a0",
    "\u3000",
]

sentences = st.lists(st.sampled_from(FRAGMENTS), max_size=14).map("".join)
tokenizer = NltkTokenizer()
nltk_tokenizer = NLTKWordTokenizer()


@settings(max_examples=1500)
@given(sentences | st.text(max_size=30))
@example("he said . \" ) '")
@example("a,, b:: c,,")
@example(" cannot.")
def test_every_sentence_is_cut_exactly_as_nltk_cuts_it(sentence):
    assume("''" not in sentence.split())  # the one thing that we do otherwise
    assert tokenizer.tokenize(sentence) == nltk_tokenizer.tokenize(" ".join(sentence.split()))


@settings(max_examples=500)
@given(st.lists(st.sampled_from(["``", "''", "go", "n't", ",", ".", "(", ")", "said", "”"]), max_size=9))
def test_tokenized_text_comes_out_as_it_went_in(words):
    assert tokenizer.tokenize(" ".join(words)) == words


def test_two_apostrophes_at_a_word_are_what_nltk_makes_of_them():
    assert tokenizer.tokenize("say ''hello''. '' Yes") == ["say", "``", "hello", "''", ".", "''", "Yes"]


def test_remembering_does_not_change_the_cut():
    fresh = NltkTokenizer()
    text = "He said, \"I can't, won't; shan't.\" (Really?)"
    assert fresh.tokenize(text) == fresh.tokenize(text) == nltk_tokenizer.tokenize(text)


def test_the_result_can_be_changed_without_harm_to_the_next():
    fresh = NltkTokenizer()
    fresh.tokenize("don't stop now .").clear()
    first = fresh.tokenize("don't stop now .")
    first[0] = "spoilt"
    assert fresh.tokenize("don't stop now .")[0] == "do"


def test_detokenizing_puts_punctuation_back():
    words = tokenizer.tokenize('He said, "I can\'t stop."')
    assert tokenizer.detokenize(words) == 'He said, "I can\'t stop."'


def test_whitespace_and_characters():
    assert make_tokenizer("whitespace").tokenize(" a  b.\tc ") == ["a", "b.", "c"]
    assert make_tokenizer("character").tokenize("ab \n c") == ["a", "b", " ", "c"]


def test_bytes():
    tokenizer = make_tokenizer("byte")
    assert tokenizer.tokenize("a~ \n é去\x7f") == [
        *("a", "~", " ", "<0xc3>", "<0xa9>", "<0xe5>", "<0x8e>", "<0xbb>", "<0x7f>")
    ]
    assert tokenizer.detokenize(["<0xe5>", "<0x8e>", "<0xbb>", "!"]) == "去!"
    assert tokenizer.detokenize(["<0xe5>", "a", "<0x00>", "<unk>"]) == "\ufffda\0<unk>"
    assert tokenizer.tokenize("<0xe5>") == [*"<0xe5>"]


@given(st.text())
def test_bytes_are_put_together_again(text):
    tokenizer = make_tokenizer("byte")
    assert tokenizer.detokenize(tokenizer.tokenize(text)) == " ".join(text.split())


@pytest.mark.parametrize(
    "sentence",
    [
        'He said "the dog is here", and left.',
        "The 'name' of it isn't 'x', she said.",
        "He said 'go away' to me, as 'friends' do.",
        "The dogs' tails are 'long'.",
        "James' dog barked.",
        "It’s the sequence’s end, “he said”, and ‘that’ is all.",
        "Call wait() and __init__() at once (or later).",
        "Rock 'n' roll!",
        "'Tis true.",
        "Rock 'n' roll was 'loud'.",
        "“He told me, ‘’tis nine o’clock,’ and then ’twas late,” said M. d’Aubigny of the ’90s.",
        "‘You’ve seen Sir O’Brien’s letter—and the dogs’ tails!’ he cried.",
        "“I never knew the key... he said—” and then the wind...",
        "It was (as he said) done [twice].",
    ],
)
def test_quotes_stand_beside_what_they_quote(sentence):
    tokenizer = make_tokenizer("nltk")
    assert tokenizer.detokenize(tokenizer.tokenize(sentence)) == sentence


@pytest.mark.parametrize("words", [["'"], ["'", "'"], ["a", "'"], ["'", "a"], ["'", "'", "'"], ["’"], ["“"]])
def test_quotes_that_quote_nothing_are_not_lost(words):
    text = make_tokenizer("nltk").detokenize(words)
    assert text.replace(" ", "") == "".join(words)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_tokenizer_takes_the_empty_sentence(name):
    assert make_tokenizer(name).tokenize("  ") == []
    assert make_tokenizer(name).detokenize([]) == ""


def test_an_unknown_tokenizer_lists_the_known():
    with pytest.raises(ConfigError, match="nltk, toktok, whitespace, character"):
        make_tokenizer("spacy")


def test_toktok_puts_no_blank_inside_brackets_and_quotes():
    join = make_tokenizer("toktok").detokenize
    assert join(["he", "(", "x", ")", "said", "``", "y", "''"]) == 'he (x) said "y"'
    assert join(["¿", "qué", "?"]) == "¿qué?"
    assert join(["«", "a", "»", "l'", "été"]) == "«a» l'été"
