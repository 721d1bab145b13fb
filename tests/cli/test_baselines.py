"""What a run says at its end of simpler models."""

import numpy as np
import pytest
from conftest import CELLS, make_model

from langmodel.cli.main import run
from langmodel.display.narration import Narrator
from langmodel.inference.scoring import token_log_probs
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.runs import comparison as baselines
from langmodel.runs.comparison import compare_with_baselines, whole_sentences
from langmodel.text.corpus import open_corpus
from langmodel.text.vocabulary import END_ID

STREAM = np.array([3, 4, END_ID, 5, END_ID, 6, 7, 3, END_ID], np.uint16)


@pytest.mark.parametrize(("most", "kept"), [(99, 9), (9, 9), (8, 5), (5, 5), (4, 3), (2, 0)])
def test_only_whole_sentences_are_compared(most, kept):
    assert whole_sentences(STREAM, most).tolist() == STREAM[:kept].tolist()


@pytest.mark.parametrize("cell", CELLS)
def test_a_stream_has_the_log_probabilities_of_its_sentences(cell):
    lm = make_model(cell)
    lines = ["a b", "c", "d e a"]
    for context in ("sentence", "document"):
        words = [word.log_prob for score in lm.score_lines(lines, context) for word in score.words]
        assert token_log_probs(lm.network, STREAM, context) == pytest.approx(words, abs=1e-5)


@pytest.mark.parametrize("context", ["sentence", "document"])
def test_a_long_validation_split_is_compared_by_its_beginning(
    poem_corpus, tmp_path, monkeypatch, capsys, context
):
    command = f"train {poem_corpus.path} -o {tmp_path / 'r'} --hidden-size 4 --embedding-size 4 --epochs 1"
    assert run([*command.split(), "--batch-size", "2", "--context", context, "--no-baselines"]) == 0
    monkeypatch.setattr(baselines, "MAX_VALID_TOKENS", 20)
    valid = poem_corpus.split("valid")
    shown = whole_sentences(valid, 20)
    assert 0 < len(shown) < min(20, len(valid))
    capsys.readouterr()
    corpus = open_corpus(poem_corpus.path)
    counted = KneserNey(corpus.split("train"), len(corpus.vocabulary))
    model = tmp_path / "r" / "best.safetensors"
    compare_with_baselines(model, corpus, counted, lm_device(), Narrator())
    assert f"({len(shown)} tokens" in capsys.readouterr().out


def lm_device():
    return make_model().network.device
