"""A network with n-grams beside it is one model: one distribution, in every use of it."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CELLS, make_model, make_network, saved_model

from langmodel import kenlm
from langmodel.inference.beam import beam_search
from langmodel.inference.language_model import LanguageModel, load
from langmodel.inference.settings import SamplingSettings
from langmodel.network.mixture import Gate, Mixture, NgramPart
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.ngrams.packed import packed
from langmodel.text.vocabulary import END_ID, START_ID
from langmodel.training.gate import PRIOR, fit_gate

V = 8
IDS = np.random.default_rng(3).integers(2, V, 400).astype(np.uint16)


def make_part(width: int, order: int = 3, seed: int = 0, bias: float = 0.3) -> NgramPart:
    ngrams = packed(KneserNey(np.append(IDS, END_ID).astype(np.uint16), V, order), order)
    weight = torch.randn(width + 2 * (order - 1), generator=torch.Generator().manual_seed(seed)) * 0.5
    return NgramPart(ngrams, Gate(weight, torch.tensor(bias)))


def mixed_model(cell: str = "lstm", **changes: object) -> LanguageModel:
    lm = make_model(cell, **changes)
    lm.ngrams = make_part(lm.network.architecture.output_size)
    return lm


def by_hand(lm: LanguageModel, ids: list[int]) -> torch.Tensor:
    """The distribution after a sentence's beginning, from its parts in float64; shape (V,)."""
    network, part = lm.network, lm.ngrams
    hidden, _ = network.read(ids)
    inputs = torch.tensor([START_ID, *ids]).unsqueeze(1)
    context = part.ngrams.contexts(inputs, part.ngrams.no_context(1))[-1]
    features = torch.cat([hidden, part.ngrams.known(context)], 1)[0].double()
    share = torch.sigmoid(features @ part.gate.weight_F.double() + part.gate.bias.double())
    own = network.output_layer.log_probabilities(hidden)[0].double().exp()
    return share * own + (1 - share) * part.ngrams.distribution(context)[0].double()


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_the_mass_over_all_words_is_one_and_the_mixture_is_the_parts_(cell, tied):
    lm = mixed_model(cell, tied=tied)
    with torch.inference_mode():
        for words in ([], [3], [3, 4, 5, 6], [7, 7, 0, 3]):
            read, _ = lm.predictor.read(words)
            found = lm.predictor.output_layer.log_probabilities(read)[0].double().exp()
            assert float(found.sum()) == pytest.approx(1, abs=1e-6)
            torch.testing.assert_close(found, by_hand(lm, words), rtol=1e-5, atol=1e-9)


def test_a_gate_that_is_wholly_open_or_shut_leaves_one_of_the_two():
    lm = mixed_model()
    width = lm.network.architecture.output_size
    alone = lm.network_only()
    lm.ngrams = NgramPart(lm.ngrams.ngrams, Gate(torch.zeros(width + 4), torch.tensor(60.0)))
    assert lm.score("a b c").log_prob == pytest.approx(alone.score("a b c").log_prob, abs=1e-6)
    lm.ngrams = NgramPart(lm.ngrams.ngrams, Gate(torch.zeros(width + 4), torch.tensor(-60.0)))
    expected = KneserNey(np.append(IDS, END_ID).astype(np.uint16), V, 3).log_probs(
        np.array([3, 4, 5, END_ID])
    )
    assert lm.score("a b c").log_prob == pytest.approx(float(expected.sum()), abs=2e-3)


def test_every_way_to_ask_gives_the_same_probability():
    lm = mixed_model()
    texts = ["a b c", "e", "", "a zzz b", "c c c c"]
    expected = []
    for text in texts:
        ids = lm.pipeline.encode(text.split(), lm.vocabulary)
        steps = [by_hand(lm, ids[:place])[id].log().item() for place, id in enumerate([*ids, END_ID])]
        expected.append(math.fsum(steps))
    assert [score.log_prob for score in lm.score_lines(texts)] == pytest.approx(expected, abs=1e-5)
    assert [score.log_prob for score in lm.score(texts)] == pytest.approx(expected, abs=1e-5)
    assert lm.log_probs(texts) == pytest.approx(expected, abs=1e-5)
    assert lm.evaluate_lines(texts, "sentence").log_prob == pytest.approx(
        sum(value for text, value in zip(texts, expected, strict=True) if text), abs=1e-4
    )
    ids = np.array([id for t in texts for id in [*lm.pipeline.encode(t.split(), lm.vocabulary), END_ID]])
    assert lm.evaluate_ids(ids.astype(np.uint16), "sentence").log_prob == pytest.approx(
        sum(expected), abs=1e-4
    )
    following = {word.word: word.log_prob for word in lm.next_words("a b", 9)}
    assert following["c"] == pytest.approx(by_hand(lm, [3, 4])[5].log().item(), abs=1e-5)


def test_ranks_entropy_and_what_was_expected_are_the_mixture_s():
    lm = mixed_model()
    word = lm.score("a b c").words[2]
    distribution = by_hand(lm, [3, 4])
    known = torch.cat([distribution[:START_ID], distribution[START_ID + 1 :]])
    assert word.entropy == pytest.approx(-(known * known.log()).sum().item(), rel=1e-5)
    assert word.rank == 1 + int((known > distribution[5]).sum())
    assert word.expected[0].probability == pytest.approx(known.max().item(), rel=1e-5)


def test_samples_carry_their_log_probability_and_beams_find_the_likeliest():
    lm = mixed_model()
    for sentence in lm.sample(20, seed=1, unk="keep", max_length=12):
        if sentence.finished and "<unk>" not in sentence.words:
            assert sentence.log_prob == pytest.approx(lm.score(" ".join(sentence.words)).log_prob, abs=1e-4)
    drawn = lm.sample(20, seed=1, unk="keep", max_length=12)
    alone = lm.network_only().sample(20, seed=1, unk="keep", max_length=12)
    assert [str(sentence) for sentence in drawn] != [str(sentence) for sentence in alone]
    best = beam_search(lm.predictor, 60, SamplingSettings(max_length=3, unk="keep"))[0]
    text = " ".join(lm.pipeline.decode(best.ids, lm.vocabulary))
    assert best.log_prob == pytest.approx(lm.score(text).log_prob, abs=1e-4)


def test_a_document_carries_the_network_s_state_and_no_context_over_sentences():
    lm = mixed_model()
    first, second = lm.score_lines(["a b", "c d"], "document")
    assert first.log_prob == pytest.approx(lm.score("a b").log_prob, abs=1e-6)
    assert second.log_prob != pytest.approx(lm.score("c d").log_prob, abs=1e-4)
    ids = np.array([3, 4, END_ID, 5, 6, END_ID], np.uint16)
    assert lm.evaluate_ids(ids, "document").log_prob == pytest.approx(
        first.log_prob + second.log_prob, abs=1e-5
    )


def test_kenlm_s_interface_has_the_mixture(tmp_path):
    lm = mixed_model()
    lm.save(tmp_path / "m.safetensors")
    model = kenlm.Model(str(tmp_path / "m.safetensors"))
    assert model.score("a b c") == pytest.approx(lm.score("a b c").log_prob / math.log(10), abs=1e-5)
    assert math.isfinite(model.score("a b", bos=False))


def test_saving_and_loading_changes_no_probability(tmp_path):
    lm = mixed_model()
    lm.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.score("a b c").log_prob == lm.score("a b c").log_prob
    assert again.kind == "network and 3-grams"
    alone = load(tmp_path / "m.safetensors", network_only=True)
    assert alone.score("a b c").log_prob == lm.network_only().score("a b c").log_prob
    again.save(tmp_path / "n.safetensors")
    assert Path(tmp_path / "n.safetensors").read_bytes() == Path(tmp_path / "m.safetensors").read_bytes()


def test_the_fitted_gate_is_better_than_any_fixed_share_and_its_gradient_is_zero():
    generator = torch.Generator().manual_seed(1)
    N = 4000
    hidden, known = torch.randn(N, 6, generator=generator), torch.randn(N, 4, generator=generator)
    knows = torch.sigmoid(3 * hidden[:, 0] - 2 * known[:, 1]) > torch.rand(N, generator=generator)
    network = torch.where(knows, -0.5, -6.0).double()
    ngrams = torch.where(knows, -6.0, -0.5).double()
    gate = fit_gate(hidden, known, network, ngrams)

    def loss(odds: torch.Tensor) -> float:
        log_share, log_rest = torch.nn.functional.logsigmoid(odds), torch.nn.functional.logsigmoid(-odds)
        return float(-torch.logaddexp(log_share + network, log_rest + ngrams).mean())

    found = loss(gate.log_odds(hidden, known).double())
    fixed = min(loss(torch.full((N,), float(odds)).double()) for odds in np.linspace(-4, 4, 81))
    assert found < fixed - 0.3
    spread = torch.cat([hidden, known], 1).std(0, correction=0)

    def aim(gate: Gate) -> float:
        return N * loss(gate.log_odds(hidden, known).double()) + PRIOR / 2 * float(
            (gate.weight_F * spread).square().sum()
        )

    for name in range(10):
        for step in (-0.1, 0.1):
            weight = gate.weight_F.clone()
            weight[name] += step
            assert aim(Gate(weight, gate.bias)) > aim(gate)
    again = fit_gate(hidden, known, network, ngrams)
    assert torch.equal(again.weight_F, gate.weight_F)


@torch.inference_mode()
def test_a_mixture_of_one_word_ngrams_needs_no_contexts():
    network = make_network(vocabulary_size=V)
    part = make_part(network.architecture.output_size, order=1)
    mixture = Mixture(network, part)
    read, _ = mixture.read([3, 4])
    assert read.shape == (1, network.architecture.output_size)
    assert float(mixture.output_layer.log_probabilities(read).exp().sum()) == pytest.approx(1, abs=1e-6)
    assert saved_model(make_model()).ngrams is None
