import json
import math

import pytest

from langmodel.errors import ConfigError
from langmodel.text.paragraphs import passages
from langmodel.text.pipeline import Pipeline
from langmodel.text.python_documentation import documentation
from langmodel.text.sentences import (
    PunktParameters,
    PunktSplitter,
    learn_punkt,
)
from langmodel.text.vocabulary import UNK_ID, Vocabulary


def test_little_text_is_split_with_the_abbreviation_list():
    punkt = learn_punkt(["A few words."])
    assert punkt.origin == "abbreviation list"
    split = PunktSplitter(punkt).split("Dr. Smith met Mrs. Jones, e.g. at noon. They talked! Why? No idea.")
    assert split == ["Dr. Smith met Mrs. Jones, e.g. at noon.", "They talked!", "Why?", "No idea."]


def test_a_large_corpus_trains_punkt():
    passages, words = [], 0
    for line in (line for _, lines in documentation() for line in lines if line):
        passages.append(line)
        words += line.count(" ") + 1
        if words > 110_000:
            break
    punkt = learn_punkt(passages)
    assert punkt.origin == "trained on the corpus"
    assert {"e.g", "i.e"} <= set(punkt.abbreviations)
    assert PunktSplitter(punkt).split("Use it, i.e. call it. Then stop.") == [
        "Use it, i.e. call it.",
        "Then stop.",
    ]


def test_parameters_survive_json_and_split_the_same():
    punkt = PunktParameters("x", ("dr",), (("a", "b"),), ("the",), {"the": 46})
    again = PunktParameters.from_dict(json.loads(json.dumps(punkt.to_dict())))
    assert again == punkt


INFINITE = {**PunktParameters("x").to_dict(), "orthography": {"a": math.inf}}


@pytest.mark.parametrize("data", [{}, [], None, {"origin": 1, "collocations": [1]}, INFINITE])
def test_malformed_parameters_are_refused(data):
    with pytest.raises(ConfigError):
        PunktParameters.from_dict(data)


def test_hard_wrapped_prose_is_joined_at_blank_lines():
    lines = ["One sentence that", "  goes on.", "", "", "Another", "one."]
    assert list(passages(lines, "punkt")) == ["One sentence that goes on.", "Another one."]


def test_without_blank_lines_every_line_is_a_passage():
    assert list(passages(["One.", "Two."], "punkt")) == ["One.", "Two."]
    assert list(passages(["One.", " ", "", "Two."], "line")) == ["One.", "Two."]


def test_a_lone_blank_line_in_a_long_list_of_lines_joins_nothing():
    lines = [f"Line {n}." for n in range(500)]
    assert list(passages([*lines, "", *lines], "punkt")) == [*lines, *lines]


def test_the_pipeline_keeps_the_surface_and_looks_up_the_normal_form():
    pipeline = Pipeline(tokenizer="nltk", sentences="line")
    vocabulary = Vocabulary(["the", "cat", "."], [3, 2, 1])
    words = pipeline.tokenize("The CAT purrs.")
    assert words == ["The", "CAT", "purrs", "."]
    assert pipeline.encode(words, vocabulary) == [3, 4, UNK_ID, 5]
    assert pipeline.decode([3, UNK_ID, 5, 2], vocabulary) == ["the", "<unk>", "."]


def test_a_pipeline_survives_its_dictionary():
    pipeline = Pipeline(tokenizer="whitespace", sentences="punkt", unk_token="<unk>", punkt=learn_punkt([]))
    assert Pipeline.from_dict(json.loads(json.dumps(pipeline.to_dict()))) == pipeline


@pytest.mark.parametrize(
    "change",
    [
        {"tokenizer": "x"},
        {"tokenizer": 3},
        {"case": "upper"},
        {"case": 3},
        {"lowered": "x"},
        {"unk_token": 3},
        {"punkt": 3},
    ],
)
def test_a_malformed_pipeline_is_refused(change):
    with pytest.raises(ConfigError):
        Pipeline.from_dict({**Pipeline().to_dict(), **change})
