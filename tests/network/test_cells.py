import pytest
import torch
from conftest import CELLS, make_network
from torch import nn

from langmodel.network.cells import RecurrentLayer, detach_state, scan, select_state
from langmodel.network.products import linear, product

PYTORCH = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def double_layer(cell: str, bias: bool = True) -> tuple[RecurrentLayer, nn.RNNBase]:
    theirs = PYTORCH[cell](5, 4, bias=bias).double()
    ours = RecurrentLayer(cell, 5, 4, bias=bias).double()
    ours.load_state_dict({name.removesuffix("_l0"): t for name, t in theirs.state_dict().items()})
    return ours, theirs


def random_state(layer: RecurrentLayer, batch: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.randn(batch, 4, dtype=torch.double) for _ in range(layer.cell.states))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", PYTORCH)
def test_a_layer_computes_what_pytorch_computes(cell, bias):
    ours, theirs = double_layer(cell, bias)
    inputs = torch.randn(6, 3, 5, dtype=torch.double)
    state = random_state(ours, 3)
    hidden, after = ours(inputs, state)
    packed = tuple(part[None] for part in state)
    expected, last = theirs(inputs, packed if cell == "lstm" else packed[0])
    last = last if cell == "lstm" else (last,)
    torch.testing.assert_close(hidden, expected, rtol=0, atol=1e-12)
    for part, reference in zip(after, last, strict=True):
        torch.testing.assert_close(part, reference[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_hand_written_gradients_agree_with_differences(cell):
    layer = RecurrentLayer(cell, None, 3, bias=True).double()
    layer.initialize(torch.Generator().manual_seed(1))
    gates = torch.randn(4, 2, layer.cell.gates * 3, dtype=torch.double, requires_grad=True)
    state = [torch.randn(2, 3, dtype=torch.double, requires_grad=True) for _ in range(layer.cell.states)]
    weight = [] if layer.weight_hh is None else [layer.weight_hh.detach().clone().requires_grad_()]
    bias = torch.randn_like(layer.bias_hh).requires_grad_()

    def run(gates, bias, *rest):
        matrix, state = (rest[0], rest[1:]) if weight else (None, rest)
        hidden, after = layer.cell.recurrence(gates, matrix, bias, state)
        return hidden, after[-1]

    assert torch.autograd.gradcheck(run, (gates, bias, *weight, *state))


@pytest.mark.parametrize("cell", CELLS)
def test_a_whole_network_passes_gradcheck(cell):
    network = make_network(cell, hidden_sizes=(3, 4), tied=True, embedding_size=2).double().train()
    inputs = torch.tensor([[1, 3], [4, 5], [6, 7]])
    names = [name for name, _ in network.named_parameters()]

    def run(*parameters):
        hidden, _ = torch.func.functional_call(
            network, dict(zip(names, parameters, strict=True)), (inputs, network.zero_state(2))
        )
        return hidden

    assert torch.autograd.gradcheck(run, tuple(p.detach().requires_grad_() for p in network.parameters()))


@pytest.mark.parametrize("cell", CELLS)
def test_one_hot_input_equals_an_embedding_through_the_identity(cell):
    one_hot = make_network(cell, embedding_size=0).double()
    width = one_hot.embedding.shape[1]
    embedded = make_network(cell, embedding_size=width).double()
    weights = dict(one_hot.state_dict())
    weights["layers.0.weight_ih"] = torch.eye(width, dtype=torch.double)
    bias = weights.pop("layers.0.bias_hh")
    weights["layers.0.bias_ih"] = bias  # the sum of both is what counts, but for a GRU's candidate
    if "layers.0.bias_hh" in embedded.state_dict():
        weights["layers.0.bias_ih"], weights["layers.0.bias_hh"] = torch.zeros_like(bias), bias
    embedded.load_state_dict(weights)
    inputs = torch.tensor([[1, 3], [4, 5], [6, 7]])
    ours, _ = one_hot(inputs, one_hot.zero_state(2))
    theirs, _ = embedded(inputs, embedded.zero_state(2))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_chunks_with_the_state_carried_equal_the_whole(cell):
    network = make_network(cell, hidden_sizes=(4, 3)).double()
    inputs = torch.randint(3, 8, (7, 2))
    whole, last = network(inputs, network.zero_state(2))
    first, state = network(inputs[:3], network.zero_state(2))
    second, end = network(inputs[3:], detach_state(state))
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(end, last, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_no_gradient_crosses_a_window(cell):
    network = make_network(cell).train()
    inputs = torch.randint(3, 8, (3, 2))
    _, state = network(inputs, network.zero_state(2))
    hidden, _ = network(inputs[:1], detach_state(state))
    hidden.sum().backward()
    used = set(inputs[:1].flatten().tolist())
    rows = network.embedding.grad.abs().sum(1).nonzero().flatten().tolist()
    assert set(rows) == used


def test_rows_of_a_state_can_be_taken_repeated_and_dropped():
    network = make_network("lstm")
    _, state = network(torch.tensor([[3, 4, 5]]), network.zero_state(3))
    taken = select_state(state, [2, 2, 0])
    assert torch.equal(taken[0][1][0], state[0][1][2])
    assert torch.equal(taken[0][0][2], state[0][0][0])


@pytest.mark.parametrize("size", [(3, 4, 5), (200, 300, 400)])
def test_products_agree_with_float64_whichever_path_they_take(size):
    N, I, O = size  # noqa: E741
    left, right, bias = torch.randn(N, I), torch.randn(O, I), torch.randn(O)
    exact = left.double() @ right.double().t() + bias.double()
    torch.testing.assert_close(product(left, right, bias).double(), exact, rtol=1e-5, atol=1e-4)
    transposed = product(left.t().contiguous().t(), right.t().contiguous().t(), bias)
    torch.testing.assert_close(transposed.double(), exact, rtol=1e-5, atol=1e-4)


def test_linear_passes_gradcheck():
    tensors = [torch.randn(*s, dtype=torch.double, requires_grad=True) for s in ((2, 3, 4), (5, 4), (5,))]
    assert torch.autograd.gradcheck(linear, tuple(tensors))


def test_a_scan_is_the_loop_whatever_the_length():
    for steps in (1, 2, 3, 7, 8, 35):
        keep, add = torch.rand(steps, 2, 3).double(), torch.randn(steps, 2, 3).double()
        hidden = torch.randn(2, 3).double()
        found = scan(keep, add, hidden)
        for t in range(steps):
            hidden = keep[t] * hidden + add[t]
            torch.testing.assert_close(found[t], hidden)
