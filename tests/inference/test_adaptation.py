import json
import math

import numpy as np
import pytest
import torch
from conftest import make_network

from langmodel.cli.main import run
from langmodel.inference.adaptation import ADAPTATIONS
from langmodel.inference.adaptation.cache import CACHE_WORDS, Cache, fit_cache
from langmodel.inference.adaptation.dynamic import Dynamic
from langmodel.inference.adaptation.temperature import Temperature, fit_temperature
from langmodel.network.evaluation import evaluate_windows, evaluation_windows, read_document
from langmodel.text.vocabulary import END_ID

VOCABULARY_SIZE = 8


def stream(length: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    ids = random.integers(3, VOCABULARY_SIZE, length).astype(np.uint16)
    ids[random.random(length) < 0.2] = END_ID
    return ids


IDS = stream(400)


@pytest.fixture
def network():
    return make_network(bias=True)


def test_a_temperature_of_one_and_an_empty_cache_and_a_rate_of_zero_change_nothing(network):
    plain = evaluate_windows(network, evaluation_windows(IDS, "document", 1)).nll
    rms = [torch.ones_like(parameter) for parameter in network.parameters()]
    for adaptation in (
        Temperature(network, None, 1.0),
        Cache(network, 0.3, 0.0),
        Dynamic(network, None, rms, 0.0, 0.1),
    ):
        assert -adaptation.log_probs(IDS).sum() == pytest.approx(plain, rel=1e-5)


def test_the_fitted_temperature_is_the_best_of_a_fine_grid(network):
    fitted = fit_temperature(network, None, IDS, IDS)
    loss = -fitted.log_probs(IDS).mean()
    for temperature in np.geomspace(0.2, 30, 60):
        assert loss <= -Temperature(network, None, float(temperature)).log_probs(IDS).mean() + 1e-6


def test_probabilities_with_a_cache_sum_to_one_and_are_grave_s(network, monkeypatch):
    monkeypatch.setattr("langmodel.inference.adaptation.cache.CACHE_WORDS", 6)
    monkeypatch.setattr("langmodel.inference.adaptation.cache.CACHE_BLOCK", 4)
    theta, share, ids = 0.7, 0.3, IDS[:23]
    found = Cache(network, theta, share).log_probs(ids)
    ((hidden_NO, targets_N),) = read_document(network, ids)
    network_NV = network.output_layer.log_probabilities(hidden_NO).double().exp()
    for n in range(1, len(ids)):
        weights = torch.zeros(VOCABULARY_SIZE, dtype=torch.float64)
        for past in range(max(0, n - 6), n):
            weights[targets_N[past]] += math.exp(theta * float((hidden_NO[n] @ hidden_NO[past]).detach()))
        expected = (1 - share) * network_NV[n] + share * weights / weights.sum()
        assert float(expected.sum()) == pytest.approx(1)
        assert math.exp(found[n]) == pytest.approx(float(expected[targets_N[n]]), rel=1e-4)


def test_a_text_that_repeats_itself_is_predicted_better_with_a_cache(network):
    ids = np.tile(IDS[:40], 10)
    plain = evaluate_windows(network, evaluation_windows(ids, "document", 1))
    fitted = fit_cache(network, None, ids, ids)
    assert -fitted.log_probs(ids).mean() < plain.loss - 0.1
    assert 0 < fitted.share < 1
    assert CACHE_WORDS >= 400


def test_dynamic_evaluation_learns_a_text_while_it_reads_it_and_leaves_the_network_alone(network):
    ids = np.tile(IDS[:30], 40)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    rms = [torch.ones_like(parameter) for parameter in network.parameters()]
    log_probs = Dynamic(network, None, rms, 0.1, 0.001).log_probs(ids)
    assert len(log_probs) == len(ids)
    assert -log_probs[-300:].mean() < -log_probs[:300].mean() - 0.2
    for parameter, old in zip(network.parameters(), before, strict=True):
        assert torch.equal(parameter, old)


def test_what_is_predicted_does_not_depend_on_what_comes_later(network):
    rms = [torch.ones_like(parameter) for parameter in network.parameters()]
    for adaptation in (Cache(network, 0.3, 0.2), Dynamic(network, None, rms, 0.05, 0.01)):
        whole, part = adaptation.log_probs(IDS), adaptation.log_probs(IDS[:200])
        assert whole[:200] == pytest.approx(part, abs=1e-5)


@pytest.mark.parametrize("kind", ADAPTATIONS)
def test_evaluate_tells_the_adapted_perplexity_beside_the_plain_one(kind, poem_corpus, tmp_path, capsys):
    corpus, made = str(poem_corpus.path), str(tmp_path / "run")
    sizes = "--hidden-size 12 --embedding-size 8 --epochs 2 --no-baselines"
    assert run(["train", corpus, "-o", made, *sizes.split()]) == 0
    capsys.readouterr()
    assert run(["evaluate", made, "--split", "test"]) == 0
    plain = capsys.readouterr().out
    assert run(["evaluate", made, "--split", "test", "--adapt", kind]) == 0
    adapted = capsys.readouterr().out.splitlines()
    (row,) = [line for line in adapted if line.startswith("  adapted")]
    assert f"({kind}: " in row
    assert [line for line in adapted if line != row] == plain.splitlines()
    assert run(["evaluate", made, "--split", "test", "--adapt", kind, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["adapted_perplexity"] > 1
    poem = tmp_path / "some.txt"
    poem.write_text("the cat sat .\n")
    assert run(["evaluate", made, str(poem), "--adapt", kind]) == 2
    assert "give a corpus directory" in capsys.readouterr().err


def test_dynamic_evaluation_of_a_vocabulary_of_the_usual_size():
    # Products of this size take another path than small ones.
    network = make_network(vocabulary_size=9_000, embedding_size=32, hidden_sizes=(32,))
    ids = np.tile(np.array([3, 8_000, 17, END_ID], np.uint16), 30)
    rms = [torch.ones_like(parameter) for parameter in network.parameters()]
    still = Dynamic(network, None, rms, 0.0, 0.0).log_probs(ids)
    assert -still.sum() == pytest.approx(
        evaluate_windows(network, evaluation_windows(ids, "document", 1)).nll
    )
    moving = Dynamic(network, None, rms, 0.05, 0.0).log_probs(ids)
    assert -moving[-40:].mean() < -still[-40:].mean()


def test_a_strong_pull_brings_weights_home_and_not_beyond(network):
    rms = [torch.ones_like(parameter) for parameter in network.parameters()]
    plain = Dynamic(network, None, rms, 0.0, 0.0).log_probs(IDS)
    assert Dynamic(network, None, rms, 0.1, 1e6).log_probs(IDS) == pytest.approx(plain, abs=1e-4)
