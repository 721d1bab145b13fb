"""The API answers what the library says."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from conftest import make_model

from langmodel.errors import LangModelError
from langmodel.web import answers


def test_scores_are_the_library_s(served):
    (row,) = served.call("score", text="the cat sat")["sentences"]
    score = served.lm.score("the cat sat")
    assert row["log_prob"] == pytest.approx(score.log_prob, abs=1e-9)
    assert [word["word"] for word in row["words"]] == ["the", "cat", "sat", "</s>"]
    assert [word["rank"] for word in row["words"]] == [word.rank for word in score.words]
    assert row["tokens"] == 4
    assert row["is_finite"] is True
    likeliest = row["words"][1]["expected"][0]
    assert likeliest["word"] == served.lm.next_words("the", 1)[0].word


def test_each_line_is_a_sentence_and_blank_ones_are_none(served):
    rows = served.call("score", text="the cat\n\n  \nthe dog xyzzy")["sentences"]
    assert [row["text"] for row in rows] == ["the cat", "the dog xyzzy"]
    assert rows[1]["oov"] == 1


def test_next_words_are_the_library_s_and_come_with_the_text_that_they_make(served):
    found = served.call("next", text="the cat", k=4)
    expected = served.lm.next_words("the cat", 4)
    assert [word["word"] for word in found["words"]] == [word.word for word in expected]
    assert [word["probability"] for word in found["words"]] == pytest.approx(
        [word.probability for word in expected], rel=1e-9
    )
    for word in found["words"]:
        assert word["text"] == (
            "the cat" if word["ends"] or word["word"] == "<unk>" else f"the cat {word['word']}"
        )
    assert served.call("next", words=["the", "cat"], k=4)["words"] == found["words"]


def test_a_word_that_is_begun_is_completed(served):
    found = served.call("next", text="the c", complete=True)
    assert found["beginning"] == "c"
    assert [word["word"] for word in found["words"]] == ["cat"]
    assert found["words"][0]["text"] == "the cat"
    assert served.call("next", text="the xyz", complete=True)["unknown"] == ["xyz"]
    assert len(served.call("next", text="the ", complete=True)["words"]) == 9


def test_sampling_is_the_library_s_whatever_else_is_asked_meanwhile(served):
    expected = [sentence.text for sentence in served.lm.sample(5, seed=7, temperature=0.9, max_length=30)]

    def drawn(seed: int) -> list[str]:
        rows = served.call("sample", n=5, seed=seed, temperature=0.9, max_length=30)
        return [row["text"] for row in rows]

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(drawn, [7, 1, 7, 2, 7, 3, 7, 4]))
    assert results[0::2] == [expected] * 4
    assert expected not in results[1::2]


def test_words_to_have_and_to_leave_out(served):
    for row in served.call("sample", n=4, seed=1, include=["dog"], ban=["cat"], max_length=20):
        assert "dog" in row["words"]
        assert "cat" not in row["words"]


def test_another_model_is_asked_by_name(served):
    names = [model["name"] for model in json.loads(served.ask("GET", "/api/models")[2])["models"]]
    assert names == ["m", "other"]
    first, second = (served.call("score", model=name, text="the cat")["sentences"][0] for name in names)
    assert first["log_prob"] != second["log_prob"]
    status, _, body = served.ask("POST", "/api/score", {"model": "none"})
    assert (status, json.loads(body)["error"]) == (400, "no such model; there are: m, other")


def test_the_api_describes_itself(served):
    described = json.loads(served.ask("GET", "/api")[2])
    assert set(described["POST /api/sample"]["fields"]) >= {"n", "seed", "temperature", "top_p", "include"}
    assert described["limits"]["body_bytes"] == 65_536


@pytest.mark.parametrize(
    ("call", "fields", "said"),
    [
        ("sample", {"temperature": -1}, "temperature must be from 0"),
        ("sample", {"top_p": 0}, "top-p must be over 0"),
        ("sample", {"include": ["xyzzy"]}, "not in the vocabulary"),
        ("sample", {"prefix": "the " * 200}, "raise it"),
        ("sample", {"n": 100, "max_length": 500}, "at most 20,000 are drawn"),
        ("sample", {"unk": "copy-rare"}, "needs the corpus"),
        ("sample", {"unk": "maybe"}, "unk must be one of reject"),
        ("next", {"text": "a", "words": ["a"]}, "not both"),
        ("score", {"text": "a", "sentences": "all"}, "line or own"),
    ],
)
def test_the_command_line_s_own_checks_answer(served, call, fields, said):
    status, headers, body = served.ask("POST", f"/api/{call}", fields)
    assert status == 400
    assert said in json.loads(body)["error"]
    assert headers["content-type"] == "application/json"


def test_what_cannot_be_drawn_is_said_and_not_a_crash(served):
    status, _, body = served.ask(
        "POST", "/api/sample", {"include": ["the", "cat", "dog", "sat", "ran"], "max_length": 2, "seed": 1}
    )
    assert status == 422
    assert "sentences had the word" in json.loads(body)["error"]


def test_weights_that_overflow_are_an_error_and_never_infinity_in_json():
    lm = make_model()
    with torch.no_grad():
        lm.network.output_bias.copy_(torch.tensor([-3e38, 0.0, 3e38, -3e38, -3e38, -3e38, -3e38, -3e38]))
    with pytest.raises(LangModelError, match="numbers overflow"):
        list(answers.score(lm, {"text": "a b", "sentences": "line"}, lambda: None))
    request = {"text": "a", "words": None, "k": 9, "complete": False}
    (row,) = answers.next_words(lm, request, lambda: None)
    assert any(word["log_prob"] is None for word in row["words"])
    json.dumps(row, allow_nan=False)
