"""ONNX Runtime's numbers beside ours: a whole sentence, and a word at a time."""

import json

import numpy as np
import pytest
from conftest import REFERENCED, make_model, saved_model

from langmodel.cli.main import run
from langmodel.storage.model_file import save_model
from langmodel.text.vocabulary import START_ID

pytest.importorskip("onnx", reason="make peers-test installs onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="make peers-test installs onnxruntime")

SHAPES = {
    "tied": {"embedding_size": 6, "hidden_sizes": (6,)},
    "projected, two layers": {"embedding_size": 5, "hidden_sizes": (4, 7)},
    "untied, without bias": {"embedding_size": 5, "hidden_sizes": (7,), "tied": False, "bias": False},
    "one-hot": {"embedding_size": 0, "hidden_sizes": (6,), "tied": False},
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("cell", REFERENCED)
def test_a_sentence_at_once_and_a_word_at_a_time(cell, shape, tmp_path, capsys):
    lm = make_model(cell, words=tuple("abcde"), **shape)
    save_model(tmp_path / "m.safetensors", saved_model(lm))
    assert run(["export-onnx", str(tmp_path / "m.safetensors"), "-o", str(tmp_path / "m.onnx")]) == 0
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    text = "a b zz e a"
    ids = [START_ID, *lm.pipeline.encode(lm.pipeline.tokenize(text), lm.vocabulary)]
    expected = [word.log_prob for word in lm.score(text).words]
    targets = [*ids[1:], 2]
    states = {
        i.name: np.zeros((1, 1, i.shape[2]), np.float32) for i in session.get_inputs() if i.name != "ids"
    }

    (whole, *_) = session.run(None, {"ids": np.array([ids]).T, **states})
    assert np.allclose([whole[t, 0, id] for t, id in enumerate(targets)], expected, atol=1e-4)
    assert np.allclose(np.exp(whole).sum(-1), 1, atol=1e-5)
    assert np.isneginf(whole[..., START_ID]).all()

    names = [o.name for o in session.get_outputs()]
    for t, id in enumerate(ids):
        out = dict(zip(names, session.run(None, {"ids": np.array([[id]]), **states}), strict=True))
        assert out["log_probs"][0, 0, targets[t]] == pytest.approx(expected[t], abs=1e-4)
        states = {name: out[f"{name}_out"] for name in states}

    kept = json.loads(session.get_modelmeta().custom_metadata_map["langmodel"])
    assert kept["vocabulary"]["words"] == list("abcde")
    assert run(["export-onnx", str(tmp_path / "m.safetensors"), "-o", str(tmp_path / "m.onnx")]) == 2
    assert "exists" in capsys.readouterr().err
