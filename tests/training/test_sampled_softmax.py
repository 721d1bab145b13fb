"""A softmax over some of the words: an estimate of the whole, by stages, and the same after a resume."""

import math
from itertools import pairwise

import pytest
import torch

from langmodel.network.output_layer import OutputLayer
from langmodel.text.vocabulary import START_ID
from langmodel.training.sampled_softmax import STAGES, WIDTH, sampled_words, share_at

V = 50


def layer(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden, weight, bias = (
        torch.randn(*shape, generator=generator).double() for shape in ((6, 4), (V, 4), (V,))
    )
    return hidden, weight, bias, torch.tensor([3, 9, 9, 2, 0, 41])


def test_the_stages_grow_and_the_last_is_exact():
    assert [share_at(done) for done in (0.0, 0.5, 0.6, 0.8, 0.95, 1.0)] == [0.2, 0.2, 0.28, 0.49, None, None]
    assert all(a < b for (_, a), (_, b) in pairwise(STAGES))


@pytest.mark.parametrize("share", [0.2, 0.28, 0.49, 1.0])
def test_a_sample_has_the_targets_the_special_words_and_about_the_share_of_the_others(share):
    targets = layer()[3]
    ids, log_weight = sampled_words(targets, V, share, seed=1, step=7)
    assert ids[:3].tolist() == [0, 1, 2]
    assert set(targets.tolist()) <= set(ids.tolist())
    assert ids.tolist() == sorted(set(ids.tolist()))
    own = {0, 1, 2, *targets.tolist()}
    others = [w for id, w in zip(ids.tolist(), log_weight.tolist(), strict=True) if id not in own]
    assert all(w == 0 for id, w in zip(ids.tolist(), log_weight.tolist(), strict=True) if id in own)
    assert len(others) == pytest.approx(share * (V - len(own)), abs=3)
    assert {round(w, 5) for w in others} == {round(math.log(round(1 / share)), 5)}


def test_a_sample_is_a_function_of_seed_and_step():
    targets = layer()[3]
    samples = [tuple(sampled_words(targets, V, 0.2, 1, step)[0].tolist()) for step in range(40)]
    again = [tuple(sampled_words(targets, V, 0.2, 1, step)[0].tolist()) for step in range(40)]
    assert samples == again
    assert len(set(samples)) == 5  # a stride of five


def test_many_words_are_filled_up_to_few_shapes_and_what_fills_has_no_weight():
    targets = torch.tensor([3, 9, 2, 2_999])
    ids, log_weight = sampled_words(targets, 3_000, 0.2, seed=1, step=3)
    real = log_weight > -math.inf
    assert len(ids) == 3 * WIDTH > int(real.sum())
    assert set(ids[~real].tolist()) == {START_ID}
    generator = torch.Generator().manual_seed(1)
    hidden, weight, bias = (
        torch.randn(*shape, generator=generator) for shape in ((4, 5), (3_000, 5), (3_000,))
    )
    padded = OutputLayer(weight, bias).nll_sum_among(hidden, targets, ids, log_weight)
    alone = OutputLayer(weight, bias).nll_sum_among(hidden, targets, ids[real], log_weight[real])
    torch.testing.assert_close(padded, alone)


def test_over_all_words_it_is_the_exact_softmax_and_passes_gradcheck():
    hidden, weight, bias, targets = layer()
    everything = sampled_words(targets, V, 1.0, 1, 1)
    exact = OutputLayer(weight, bias).nll_sum(hidden, targets)
    assert float(OutputLayer(weight, bias).nll_sum_among(hidden, targets, *everything)) == pytest.approx(
        float(exact)
    )
    ids, log_weight = sampled_words(targets, V, 0.2, 1, 1)
    inputs = [tensor.requires_grad_() for tensor in (hidden, weight, bias)]
    assert torch.autograd.gradcheck(
        lambda h, w, b: OutputLayer(w, b).nll_sum_among(h, targets, ids, log_weight.double()), inputs
    )


def test_the_sum_over_all_words_is_estimated_without_bias():
    hidden, weight, bias, targets = layer()
    logits = hidden @ weight.t() + bias
    logits[:, 1] = -math.inf  # START
    exact = logits.exp().sum(1)
    found = []
    samples = {tuple(sampled_words(targets, V, 0.2, 1, step)[0].tolist()): step for step in range(60)}
    assert len(samples) == 5
    for step in samples.values():
        ids, log_weight = sampled_words(targets, V, 0.2, 1, step)
        nll = [
            float(
                OutputLayer(weight, bias).nll_sum_among(
                    hidden[n : n + 1], targets[n : n + 1], ids, log_weight.double()
                )
            )
            for n in range(len(targets))
        ]
        found.append(torch.tensor(nll).double() + logits[torch.arange(6), targets])
    mean = torch.stack(found).exp().mean(0)
    torch.testing.assert_close(mean, exact, rtol=1e-6, atol=0)
