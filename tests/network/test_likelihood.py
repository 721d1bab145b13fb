import math

import pytest
import torch
from conftest import CELLS, make_network

from langmodel.network import output_layer
from langmodel.network.likelihood import perplexity
from langmodel.network.output_layer import OutputLayer
from langmodel.network.products import HAS_BFLOAT16, LARGE
from langmodel.text.vocabulary import START_ID


def random_layer(N=7, O=3, V=6, dtype=torch.double):  # noqa: E741
    generator = torch.Generator().manual_seed(0)
    hidden, weight, bias = (
        torch.randn(*shape, dtype=dtype, generator=generator) for shape in ((N, O), (V, O), (V,))
    )
    targets = torch.tensor([0, 2, 3, 4, 5, 2, 0])[:N]
    return hidden, weight, bias, targets


def test_a_hand_worked_likelihood():
    # One hidden unit that is 1, weights ln 1, -, ln 2, ln 5: probabilities 1/8, 0, 2/8, 5/8.
    weight = torch.tensor([[0.0], [99.0], [math.log(2)], [math.log(5)]])
    nll = OutputLayer(weight, None).token_nll(torch.ones(3, 1), torch.tensor([0, 2, 3]))
    expected = torch.tensor([math.log(8), math.log(4), math.log(8 / 5)])
    torch.testing.assert_close(nll, expected)


@pytest.mark.parametrize("scale", [1, 300])
def test_the_way_that_waits_for_no_gpu_gives_the_same(scale):
    hidden, weight, bias, targets = random_layer()
    targets_N1 = targets.unsqueeze(1)
    probabilities, nll = OutputLayer(weight, bias)._softmax_and_nll(hidden * scale, targets_N1)
    others = output_layer._by_logarithms(OutputLayer(weight, bias).logits(hidden * scale), targets_N1)
    torch.testing.assert_close(others[0], probabilities, rtol=1e-12, atol=1e-300)
    torch.testing.assert_close(others[1], nll, rtol=1e-12, atol=0)


def test_start_has_no_probability_and_the_rest_sums_to_one():
    hidden, weight, bias, _ = random_layer()
    probabilities = OutputLayer(weight, bias).log_probabilities(hidden).exp()
    assert torch.all(probabilities[:, START_ID] == 0)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(7, dtype=torch.double))


@pytest.mark.parametrize("cell", CELLS)
def test_probabilities_sum_to_one_for_every_cell(cell):
    network = make_network(cell, vocabulary_size=8000)
    hidden, _ = network.read([3, 4, 5])
    total = network.output_layer.log_probabilities(hidden).double().logsumexp(1)
    assert abs(total.item()) < 1e-5


@pytest.mark.parametrize("with_bias", [True, False])
def test_the_fused_pass_passes_gradcheck(with_bias):
    hidden, weight, bias, targets = random_layer()
    inputs = [hidden.requires_grad_(), weight.requires_grad_()]
    if with_bias:
        inputs.append(bias.requires_grad_())
    assert torch.autograd.gradcheck(lambda h, w, b=None: OutputLayer(w, b).nll_sum(h, targets), inputs)


def test_the_fused_pass_equals_log_softmax_and_its_gradient():
    hidden, weight, bias, targets = (
        t.requires_grad_() if t.is_floating_point() else t for t in random_layer()
    )
    logits = torch.nn.functional.linear(hidden, weight, bias)
    logits = logits.index_fill(1, torch.tensor([START_ID]), -math.inf)
    plain = torch.nn.functional.nll_loss(logits.log_softmax(1), targets, reduction="sum")
    expected = torch.autograd.grad(plain, (hidden, weight, bias))
    fused = OutputLayer(weight, bias).nll_sum(hidden, targets)
    torch.testing.assert_close(fused, plain, rtol=1e-12, atol=0)
    for ours, theirs in zip(torch.autograd.grad(fused, (hidden, weight, bias)), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_the_size_of_a_chunk_changes_nothing(monkeypatch):
    hidden, weight, bias, targets = random_layer()
    whole = OutputLayer(weight, bias).token_nll(hidden, targets)
    inputs = [t.requires_grad_() for t in (hidden, weight, bias)]
    total = OutputLayer(*inputs[1:]).nll_sum(inputs[0], targets)
    gradients = torch.autograd.grad(total, inputs)
    monkeypatch.setattr(output_layer, "LEAST_ROWS", 1)
    monkeypatch.setattr(output_layer, "CHUNK_ELEMENTS", 12)  # two rows at a time
    torch.testing.assert_close(
        OutputLayer(weight, bias).token_nll(hidden, targets), whole, rtol=0, atol=1e-14
    )
    in_chunks = OutputLayer(*inputs[1:]).nll_sum(inputs[0], targets)
    torch.testing.assert_close(in_chunks, total, rtol=1e-14, atol=0)
    for ours, theirs in zip(torch.autograd.grad(in_chunks, inputs), gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("tokens", "limit", "rows"), [(7, 12, [2, 2, 2, 1]), (7, 41, [4, 3]), (7, 42, [7]), (3, 1, [1, 1, 1])]
)
def test_no_more_logits_are_held_at_once_than_the_limit(monkeypatch, tokens, limit, rows):
    """In as few chunks as the limit allows, as equal as they can be; a row is held whole in any case."""
    hidden, weight, bias, targets = random_layer(N=tokens)
    held = []
    real = OutputLayer.logits

    def noted(self, read_NR):
        held.append(len(read_NR))
        return real(self, read_NR)

    monkeypatch.setattr(OutputLayer, "logits", noted)
    monkeypatch.setattr(output_layer, "LEAST_ROWS", 1)
    monkeypatch.setattr(output_layer, "CHUNK_ELEMENTS", limit)
    OutputLayer(weight, bias).nll_sum(hidden, targets)
    assert held == rows


@pytest.mark.parametrize("beta", [1.0, 0.7])
def test_the_moments_of_a_temperature_are_the_loss_and_its_derivatives(monkeypatch, beta):
    monkeypatch.setattr(output_layer, "LEAST_ROWS", 1)
    monkeypatch.setattr(output_layer, "CHUNK_ELEMENTS", 18)  # three rows at a time
    hidden, weight, bias, targets = random_layer()
    share = torch.tensor(beta, dtype=torch.double, requires_grad=True)
    scores = torch.nn.functional.linear(hidden, weight, bias)
    scores = scores.index_fill(1, torch.tensor([START_ID]), -1e300)
    loss = torch.nn.functional.nll_loss((share * scores).log_softmax(1), targets, reduction="sum")
    (slope,) = torch.autograd.grad(loss, share, create_graph=True)
    (curvature,) = torch.autograd.grad(slope, share)
    moments = OutputLayer(weight, bias).temperature_moments(hidden, targets, beta)
    torch.testing.assert_close(moments, torch.stack([loss, slope, curvature]).detach())
    assert (
        OutputLayer(weight.float(), None).temperature_moments(hidden.float(), targets, beta).dtype
        == torch.float64
    )


def test_entropy_and_rank_are_those_of_the_distribution_that_predicted_the_word(monkeypatch):
    monkeypatch.setattr(output_layer, "LEAST_ROWS", 1)
    monkeypatch.setattr(output_layer, "CHUNK_ELEMENTS", 18)  # three rows at a time
    hidden, weight, bias, targets = random_layer()
    weight[5], bias[5] = weight[4], bias[4]  # ids 4 and 5 are equally likely, and share the better rank
    details = OutputLayer(weight, bias).token_details(hidden, targets)
    for row, target, (nll, entropy, rank) in zip(
        OutputLayer(weight, bias).log_probabilities(hidden), targets.tolist(), details.tolist(), strict=True
    ):
        known = [p for id, p in enumerate(row.tolist()) if id != START_ID]
        assert nll == pytest.approx(-row[target].item())
        assert entropy == pytest.approx(-sum(math.exp(p) * p for p in known))
        assert rank == 1 + sum(p > row[target].item() + 1e-12 for p in known)
    assert details[:, 2].max() > 2


def test_the_improbable_is_exact_with_a_bias_too():
    hidden, weight, _, targets = random_layer()
    bias = torch.full((6,), 500.0, dtype=torch.double).index_fill(0, targets[:1], -500.0)
    expected = -OutputLayer(weight, bias).log_probabilities(hidden).gather(1, targets.unsqueeze(1)).squeeze(1)
    assert expected.max() > 900
    torch.testing.assert_close(OutputLayer(weight, bias).token_nll(hidden, targets), expected)


def test_large_logits_neither_overflow_nor_lose_the_improbable():
    weight = torch.tensor([[0.0], [0.0], [2e4], [-2e4]])
    nll = OutputLayer(weight, None).token_nll(torch.ones(2, 1), torch.tensor([2, 3]))
    assert nll.tolist() == [0.0, 4e4]


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary():
    nll = OutputLayer(torch.zeros(9, 2), None).token_nll(torch.zeros(5, 2), torch.tensor([0, 2, 3, 4, 8]))
    assert perplexity(nll.double().sum().item(), 5) == pytest.approx(8)  # nine rows, START has no share


def test_perplexity_of_nothing_is_an_error_and_of_the_impossible_infinite():
    with pytest.raises(ValueError, match="no tokens"):
        perplexity(0.0, 0)
    assert perplexity(1e6, 1) == math.inf
    assert perplexity(2 * math.log(7), 2) == pytest.approx(7)


def test_an_improbable_target_among_others_has_its_exact_likelihood_and_gradient():
    hidden_NO = torch.tensor([[90.0, 0.0], [0.5, 1.0], [0.0, 120.0]], requires_grad=True)
    weight_VO = torch.tensor([[1.0, 0], [0, 0], [0, 1], [-1, 0], [0, -1]], requires_grad=True)
    targets_N = torch.tensor([3, 2, 4])
    nll_N = OutputLayer(weight_VO.detach(), None).token_nll(hidden_NO.detach(), targets_N)
    likely = math.log(sum(map(math.exp, (0.5, 1.0, -0.5, -1.0)))) - 1.0  # id 1 is START
    assert nll_N.tolist() == pytest.approx([180.0, likely, 240.0], abs=1e-4)
    total = OutputLayer(weight_VO, None).nll_sum(hidden_NO, targets_N)
    total.backward()
    assert float(total.detach()) == pytest.approx(float(nll_N.double().sum()))
    assert hidden_NO.grad[0].tolist() == pytest.approx([2.0, 0.0])


def test_probabilities_below_the_smallest_normal_float_are_exact_to_rounding():
    weight_VO = torch.zeros(6, 1)
    bias_V = torch.tensor([0.0, 0.0, 0.0, 0.0, -95.0, -80.0])
    nll = OutputLayer(weight_VO, bias_V).token_nll(torch.zeros(2, 1), torch.tensor([4, 5]))
    assert nll.tolist() == pytest.approx([95 + math.log(3), 80 + math.log(3)], abs=2e-5)  # START has no part


def test_a_chunk_has_many_rows_however_many_words_there_are(monkeypatch):
    monkeypatch.setattr(output_layer, "CHUNK_ELEMENTS", 1_000)
    chunks = [*OutputLayer(torch.zeros(500, 1), None).chunks(torch.zeros(700, 1))]
    assert [len(range(700)[chunk]) for chunk in chunks] == [234, 234, 232]
    monkeypatch.setattr(output_layer, "MOST_ELEMENTS", 100 * 500)  # so many that memory decides
    chunks = [*OutputLayer(torch.zeros(500, 1), None).chunks(torch.zeros(700, 1))]
    assert [len(range(700)[chunk]) for chunk in chunks] == [100] * 7


def test_products_of_bfloat16_round_the_factors_alone():
    generator = torch.Generator().manual_seed(1)
    hidden, weight, bias = (torch.randn(*s, generator=generator) for s in ((64, 96), (512, 96), (512,)))
    targets = torch.randint(2, 512, (64,), generator=generator)
    exact, rounded = OutputLayer(weight, bias), OutputLayer(weight, bias).in_bfloat16()
    assert hidden.numel() * len(weight) >= LARGE
    by_hand = hidden.bfloat16().double() @ weight.bfloat16().double().t() + bias.double()
    logits = rounded.logits(hidden)[:, 2:]
    if HAS_BFLOAT16:
        torch.testing.assert_close(logits.double(), by_hand[:, 2:], rtol=1e-5, atol=1e-4)
    else:
        torch.testing.assert_close(logits, exact.logits(hidden)[:, 2:], rtol=0, atol=0)
    assert float(rounded.nll_sum(hidden, targets)) == pytest.approx(
        float(exact.nll_sum(hidden, targets)), rel=1e-2
    )
    assert torch.backends.mkldnn.matmul.fp32_precision != "bf16"
