"""A page by itself: its rules, its weights, and what it holds."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CELLS, make_model, make_network

from langmodel.errors import ConfigError
from langmodel.text.pipeline import Pipeline
from langmodel.web.export import export_page
from langmodel.web.javascript import expression, pipeline_data
from langmodel.web.packing import packed_weights
from langmodel.web.served import ServedModel


@pytest.mark.parametrize(
    ("python", "javascript"),
    [
        (r"(?i)\b(can)(?#X)(not)", None),
        (r"[^\d]", (r"[^\p{Nd}]", "gu")),
        (r"\d+\w", (r"[\p{Nd}]+[\p{L}\p{N}_]", "gu")),
        (r"[\]\"\'> ]*+\s*$", ("[\\]\"'> ]*\\s*$", "gu")),
        (r"a++", ("a+", "gu")),
        (r"[+*]", ("[+*]", "gu")),
        (r"\-", ("-", "gu")),
        ("[‒-―]", ("[‒-―]", "gu")),
    ],
)
def test_expressions_mean_in_javascript_what_they_mean_in_python(python, javascript):
    source, flags = expression(python)
    if javascript is None:
        assert flags == "giu"
        assert "(?#" not in source
        assert "(?i)" not in source
    else:
        assert (source, flags) == javascript


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_weights_are_packed_and_found_again(cell, tied):
    network = make_network(cell, tied=tied)
    for form, most in (("int8", 0.51 / 127), ("float16", 2**-11)):
        blob, described, rounded = packed_weights(network, form)
        assert {entry["name"] for entry in described} == set(network.state_dict())
        assert all(entry["at"] % 4 == 0 for entry in described)
        for name, weight in network.state_dict().items():
            off = (rounded.state_dict()[name] - weight).abs()
            if weight.dim() == 1:
                assert not off.any()
            else:
                assert bool((off <= weight.abs().amax(1, keepdim=True) * most).all())
        entry = next(entry for entry in described if entry["name"] == "embedding")
        rows, columns = entry["shape"]
        at = entry["at"]
        if form == "int8":
            scales = np.frombuffer(blob, "<f4", rows, at)
            read = (
                np.frombuffer(blob, "i1", rows * columns, at + 4 * rows).reshape(rows, columns)
                * scales[:, None]
            )
        else:
            read = np.frombuffer(blob, "<f2", rows * columns, at).reshape(rows, columns).astype("f4")
        np.testing.assert_array_equal(read, rounded.embedding.detach().numpy())


def test_a_row_of_zeros_and_a_weight_beyond_float16_are_packed():
    network = make_network()
    with torch.no_grad():
        network.embedding[3] = 0
        network.embedding[4, 0] = 1e6
    for form in ("int8", "float16"):
        rounded = packed_weights(network, form)[2]
        assert not rounded.embedding[3].any()
        assert bool(rounded.embedding.isfinite().all())


def exported(lm) -> str:
    return export_page(ServedModel("m", lm, (("a", "<b>"),)), "a <title>", "int8").html


def test_a_page_loads_nothing_and_runs_only_its_own_script():
    page = exported(make_model(words=("a", "</script><script>alert(1)</script>", "b")))
    assert not re.findall(r"(?:src|href)=(?!\"data:,\")", page)
    assert "default-src 'none'; script-src 'sha256-" in page
    assert "alert(1)</script>" not in page
    assert "<title>a &lt;title&gt;</title>" in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_page_holds_no_word_beyond_the_vocabulary():
    lm = make_model(words=("the", "cat"))
    lm.pipeline = Pipeline(tokenizer="nltk", sentences="line", case="true", lowered=("secret", "the"))
    data = json.loads(re.search(r'id="data">(.*?)</script>', exported(lm))[1])
    assert data["words"] == ["the", "cat"]
    assert data["text"]["lowered"] == ["the"]
    assert "secret" not in exported(lm)


def test_a_tokenizer_that_is_code_is_refused():
    lm = make_model()
    with pytest.raises(ConfigError, match="Python code; a page cannot run it"):
        pipeline_data(replace(lm.pipeline, tokenizer="mine:cut"), lm.vocabulary)
