"""What the API's calls take: every field is checked, and what is missing has its default."""

import json

import pytest

from langmodel.inference.settings import SamplingSettings
from langmodel.web.requests import CALLS, MAX_CHARACTERS, BadRequest, read_request


def test_what_is_left_out_has_the_sampler_s_own_defaults():
    request = read_request("sample", b"{}")
    assert SamplingSettings(**{name: request[name] for name in SamplingSettings.__dataclass_fields__}) == (
        SamplingSettings()
    )
    assert request["n"] == 1
    assert request["seed"] is None


def test_whole_numbers_stand_for_fractions_and_null_for_nothing():
    request = read_request("sample", b'{"temperature": 1, "seed": null, "prefix": "a"}')
    assert request["temperature"] == 1.0
    assert type(request["temperature"]) is float
    assert request["seed"] is None


@pytest.mark.parametrize(
    ("call", "body", "said"),
    [
        ("next", b"", "not JSON"),
        ("next", b"[]", "send a JSON object"),
        ("next", b'"a"', "send a JSON object"),
        ("next", b'{"text": "\xff"}', "not UTF-8"),
        ("next", b'{"text": "\\ud800"}', "surrogate"),
        ("next", b'{"words": ["\\ud800"]}', "surrogate"),
        ("next", b'{"txt": "a"}', "did you mean text?"),
        ("next", b'{"zzz": "a"}', "known: model, text, words, k, complete"),
        ("next", b'{"text": 1}', "text must be a text"),
        ("next", b'{"words": "abc"}', "list of words"),
        ("next", b'{"words": [1]}', "list of words"),
        ("next", b'{"k": true}', "whole number"),
        ("next", b'{"k": 1.5}', "whole number"),
        ("next", b'{"k": 1001}', "at most 1,000"),
        ("next", b'{"complete": 1}', "true or false"),
        ("score", b'{"text": "a", "text": NaN}', "not JSON"),
        ("score", b'{"text": ' + b"1" * 5000 + b"}", "not JSON"),
        ("sample", b'{"temperature": Infinity}', "not JSON"),
        ("sample", b'{"temperature": ' + b"1" * 400 + b"}", "out of range"),
        ("sample", b'{"seed": 99999999999}', "at most"),
        ("sample", b'{"n": 1000000}', "n must be at most 100"),
        ("sample", b'{"max_length": 1000000}', "at most 500"),
        ("sample", b'{"include": ["a"' + b', "a"' * 50 + b"]}", "at most 50"),
        ("sample", b"[" * 100_000, "nested"),
        ("sample", b'{"a":' * 20_000, "nested"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_short_line(call, body, said):
    with pytest.raises(BadRequest, match=said.replace("?", r"\?")) as caught:
        read_request(call, body)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


def test_a_text_that_is_too_long_is_refused_and_brackets_inside_of_text_are_not():
    brackets = json.dumps({"text": '[{"' * 1000 + "\\"}).encode()
    assert read_request("score", brackets)["text"].startswith('[{"[')
    with pytest.raises(BadRequest, match="at most 20,000, got 20001"):
        read_request("score", json.dumps({"text": "a" * (MAX_CHARACTERS + 1)}).encode())


def test_every_field_describes_itself():
    for fields in CALLS.values():
        for field in fields.values():
            described = field.described()
            assert described["type"]
            assert described["help"]
