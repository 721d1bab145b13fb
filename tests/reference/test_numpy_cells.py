import numpy as np
import pytest

from langmodel.errors import ConfigError
from langmodel.reference import Bidirectional, GRUCell, LSTMCell, ReferenceLM, RNNCell, Stack, gradient_check
from langmodel.reference.cells import sigmoid

VARIANTS = {
    "rnn": RNNCell(),
    "gru": GRUCell(),
    "lstm": LSTMCell(),
    "lstm-forget-bias": LSTMCell(forget_bias=1.0),
    "lstm-peepholes": LSTMCell(peepholes=True),
    "lstm-clip": LSTMCell(cell_clip=0.15),
    "lstm-projection": LSTMCell(projection_size=2),
    "lstm-everything": LSTMCell(peepholes=True, cell_clip=0.2, projection_size=2, forget_bias=0.5),
}


def make(cell, seed=0, **more) -> ReferenceLM:
    """A small model whose weights, biases and peepholes are all far from zero."""
    model = ReferenceLM(6, cell=cell, **{"hidden_sizes": (3,), "bias": True, "seed": seed, **more})
    random = np.random.default_rng(seed + 100)
    for array in model.parameters.values():
        array += random.normal(0, 0.4, array.shape)
    return model


WORDS, TARGETS = [1, 4, 2, 5, 3], [4, 2, 5, 3, 0]


@pytest.mark.parametrize("shape", [{}, {"embedding_size": 2}, {"hidden_sizes": (3, 2)}, {"bias": False}])
@pytest.mark.parametrize("cell", VARIANTS.values(), ids=VARIANTS)
def test_every_gradient_agrees_with_central_differences(cell, shape):
    model = make(cell, **shape)
    before = {name: array.copy() for name, array in model.parameters.items()}
    check = gradient_check(model, WORDS, TARGETS)
    assert check.relative_error < 1e-5, str(check)
    assert check.checked == model.parameter_count
    for name, array in model.parameters.items():
        assert np.array_equal(array, before[name])


def test_the_check_finds_a_wrong_gradient_and_says_where(monkeypatch):
    model = make(RNNCell())
    right = ReferenceLM.gradients

    def wrong(self, *arguments, **more):
        gradients = right(self, *arguments, **more)
        gradients["0.W_s"][1, 2] += 0.5
        return gradients

    monkeypatch.setattr(ReferenceLM, "gradients", wrong)
    check = gradient_check(model, WORDS, TARGETS)
    assert (check.parameter, check.index) == ("0.W_s", (1, 2))
    assert check.relative_error > 0.1
    assert "0.W_s[1, 2]" in str(check)


def test_one_step_of_an_rnn_by_hand():
    (after,), _ = RNNCell().forward(
        {"W_s": np.array([[0.5]]), "b_s": np.array([0.25])}, np.array([1.0]), (np.array([2.0]),)
    )
    assert after[0] == pytest.approx(np.tanh(1 + 0.5 * 2 + 0.25))


def test_one_step_of_an_lstm_by_hand():
    p = {"W_s": np.zeros((4, 1)), "b_s": np.array([0.1, 0.2, 0.3, 0.4])}
    (s, c), _ = LSTMCell().forward(p, np.zeros(4), (np.zeros(1), np.array([2.0])))
    i, f, g, o = sigmoid(np.array(0.1)), sigmoid(np.array(0.2)), np.tanh(0.3), sigmoid(np.array(0.4))
    assert c[0] == pytest.approx(f * 2 + i * g)
    assert s[0] == pytest.approx(o * np.tanh(f * 2 + i * g))


def test_one_step_of_a_gru_by_hand():
    p = {"W_s": np.array([[0.0], [0.0], [1.0]]), "b_s": np.array([0.1, 0.2, 0.3])}
    (s,), _ = GRUCell().forward(p, np.zeros(3), (np.array([0.5]),))
    r, z = sigmoid(np.array(0.1)), sigmoid(np.array(0.2))
    assert s[0] == pytest.approx((1 - z) * np.tanh(r * (0.5 + 0.3)) + z * 0.5)


def test_a_clipped_cell_stays_in_its_bounds_and_a_projection_has_its_size():
    model = make(LSTMCell(cell_clip=0.05, projection_size=2))
    states, _ = model.stack.forward([np.full(12, 3.0)] * 4)
    for ((s, c),) in states:
        assert s.shape == (2,)
        assert np.abs(c).max() <= 0.05


def test_the_sigmoid_does_not_overflow():
    with np.errstate(all="raise"):
        assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_both_directions_are_encoded():
    random = np.random.default_rng(0)
    there, back = (Stack(GRUCell(), 3, (4,), random=random) for _ in range(2))
    inputs = list(random.normal(size=(5, 3)))
    encoded = Bidirectional(there, back).encode(inputs)
    assert encoded.shape == (5, 8)
    assert encoded[-1, :4] == pytest.approx(there.forward(inputs)[0][-1][0][0])
    assert encoded[0, 4:] == pytest.approx(back.forward(inputs[::-1])[0][-1][0][0])
    changed = Bidirectional(there, back).encode([*inputs[:-1], inputs[-1] + 1])
    assert encoded[0, :4] == pytest.approx(changed[0, :4])  # the past does not see the future …
    assert encoded[0, 4:] != pytest.approx(changed[0, 4:])  # … the other direction does
    with pytest.raises(ConfigError, match="empty"):
        Bidirectional(there, back).encode([])


@pytest.mark.parametrize(
    "make_wrong",
    [
        lambda: LSTMCell(cell_clip=0),
        lambda: LSTMCell(projection_size=0),
        lambda: Stack(RNNCell(), 2, (), random=np.random.default_rng(0)),
        lambda: ReferenceLM(1),
    ],
)
def test_shapes_out_of_range_are_refused(make_wrong):
    with pytest.raises(ConfigError):
        make_wrong()
