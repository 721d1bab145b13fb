import itertools
import math

import numpy as np
import pytest

from langmodel.errors import ConfigError, InputError
from langmodel.reference import GRUCell, LSTMCell, ReferenceLM, RNNCell, gradient_check, train_with_sgd
from langmodel.reference.training import sgd_step

WORDS, TARGETS = [1, 4, 2, 5, 3, 2], [4, 2, 5, 3, 2, 0]


def test_the_tutorials_network_has_its_parameters_and_its_first_loss():
    model = ReferenceLM(8_000, (100,), dtype=np.float32)
    assert model.parameter_count == 1_610_000  # 2HC + H²
    words = list(range(0, 8_000, 400))
    assert model.loss([(words, words)]) == pytest.approx(math.log(8_000), abs=0.01)
    probabilities, _ = model.forward([0, 5])
    assert probabilities.shape == (2, 8_000)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(1) == pytest.approx([1, 1], abs=1e-4)


def test_a_column_is_selected_where_a_one_hot_vector_would_be_multiplied():
    model = ReferenceLM(6, (3,), seed=2)
    probabilities, _ = model.forward([4])
    p = model.parameters
    one_hot = np.eye(6)[4]
    scores = p["V"] @ np.tanh(p["U"] @ one_hot)
    assert probabilities[0] == pytest.approx(np.exp(scores) / np.exp(scores).sum())
    assert model.predict([4]) == [int(scores.argmax())]


@pytest.mark.parametrize("cell", [RNNCell(), GRUCell(), LSTMCell()], ids=["rnn", "gru", "lstm"])
def test_truncation_beyond_the_sentence_is_the_true_gradient(cell):
    model = ReferenceLM(6, (3,), cell, bias=True, seed=1)
    whole = model.gradients(WORDS, TARGETS)
    long = model.gradients(WORDS, TARGETS, bptt_truncate=len(WORDS))
    for name in whole:
        assert long[name] == pytest.approx(whole[name], abs=1e-12)


def test_truncated_bptt_is_the_sum_of_every_steps_error_carried_back_so_far():
    """By hand for the RNN: error t reaches step t - j through j products with W, j at most k."""
    model = ReferenceLM(6, (3,), seed=3)
    p, k = model.parameters, 2
    states = [np.zeros(3)]
    for word in WORDS:
        states.append(np.tanh(p["U"][:, word] + p["0.W_s"] @ states[-1]))
    expected_W, expected_U = np.zeros((3, 3)), np.zeros((3, 6))
    for t, target in enumerate(TARGETS):
        scores = p["V"] @ states[t + 1]
        error = np.exp(scores) / np.exp(scores).sum()
        error[target] -= 1
        delta = (p["V"].T @ error) * (1 - states[t + 1] ** 2)
        for step in range(t, max(-1, t - k - 1), -1):
            expected_W += np.outer(delta, states[step])
            expected_U[:, WORDS[step]] += delta
            delta = (p["0.W_s"].T @ delta) * (1 - states[step] ** 2)
    gradients = model.gradients(WORDS, TARGETS, bptt_truncate=k)
    assert gradients["0.W_s"] == pytest.approx(expected_W, abs=1e-12)
    assert gradients["U"] == pytest.approx(expected_U, abs=1e-12)


def test_carrying_every_error_back_is_not_cutting_into_windows():
    """Both are shown: the tutorial's truncation at 2, and windows of 3 words with the state carried."""
    model = ReferenceLM(6, (3,), seed=3)
    every_step = model.gradients(WORDS, TARGETS, bptt_truncate=2)["0.W_s"]
    _, middle = model.forward(WORDS[:3])
    states, caches = model.stack.forward(model._inputs(WORDS[3:]), middle)
    grads = [{name: np.zeros_like(array) for name, array in model.stack.parameters[0].items()}]
    errors = {}
    for t, (state, target) in enumerate(zip(states, TARGETS[3:], strict=True)):
        error = model._softmax(state)
        error[target] -= 1
        errors[t] = model.parameters["V"].T @ error
    list(model.stack.backward(caches, errors, 0, 2, grads))
    windows = model.gradients(WORDS[:3], TARGETS[:3])["0.W_s"] + grads[0]["W_s"]
    assert np.abs(every_step - windows).max() > 1e-4
    whole = model.gradients(WORDS, TARGETS)["0.W_s"]
    assert np.abs(every_step - whole).max() < np.abs(windows - whole).max()


def test_no_truncation_step_leaves_only_the_last():
    model = ReferenceLM(6, (3,), seed=3)
    gradients = model.gradients(WORDS, TARGETS, bptt_truncate=0)
    alone = np.zeros((3, 3))
    for t in range(len(WORDS)):
        _, before = model.forward(WORDS[:t]) if t else (None, model.stack.zero_state())
        states, _ = model.stack.forward(model._inputs(WORDS[t : t + 1]), before)
        error = model._softmax(states[0])
        error[TARGETS[t]] -= 1
        s = states[0][0][0]
        alone += np.outer((model.parameters["V"].T @ error) * (1 - s**2), before[0][0])
    assert gradients["0.W_s"] == pytest.approx(alone, abs=1e-12)


def test_the_loss_falls_over_ten_epochs_on_a_small_set():
    pairs = [([1, 4, 2], [4, 2, 0]), ([1, 5, 3, 3], [5, 3, 3, 0])] * 3
    losses = train_with_sgd(ReferenceLM(6, (5,), seed=0), pairs, learning_rate=0.1, epochs=10)
    assert len(losses) == 11
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.7 * losses[0]


def test_the_rate_is_halved_when_the_loss_rises():
    rates = []
    train_with_sgd(
        ReferenceLM(6, (5,), seed=0),
        [([1, 4, 2], [4, 2, 0])],
        learning_rate=50.0,
        epochs=6,
        on_evaluation=lambda epoch, loss, rate: rates.append((loss, rate)),
    )
    for (loss, rate), (next_loss, next_rate) in itertools.pairwise(rates):
        assert next_rate == (rate / 2 if next_loss > loss else rate)
    assert rates[-1][1] < 50


def test_a_step_goes_down_the_gradient():
    model = ReferenceLM(6, (3,), seed=1)
    before = {name: array.copy() for name, array in model.parameters.items()}
    gradients = model.gradients(WORDS, TARGETS, bptt_truncate=4)
    sgd_step(model, (WORDS, TARGETS), learning_rate=0.1, bptt_truncate=4)
    for name, array in model.parameters.items():
        assert array == pytest.approx(before[name] - 0.1 * gradients[name])


def test_banned_words_have_no_probability():
    model = ReferenceLM(6, (3,), banned=[1], seed=1)
    probabilities, _ = model.forward([2, 3])
    assert probabilities[:, 1].tolist() == [0, 0]
    assert probabilities.sum(1) == pytest.approx([1, 1])


@pytest.mark.parametrize(("words", "targets"), [([], []), ([1], [1, 2]), ([6], [0]), ([-1], [0]), ([0], [6])])
def test_sentences_that_are_none_are_refused(words, targets):
    with pytest.raises(InputError):
        ReferenceLM(6, (3,)).gradients(words, targets)


def test_bad_settings_and_weights_are_refused():
    model = ReferenceLM(6, (3,))
    with pytest.raises(ConfigError, match="truncation"):
        model.gradients([1], [2], bptt_truncate=-1)
    with pytest.raises(ConfigError, match="h must be"):
        gradient_check(model, [1], [2], h=0)
    model.parameters["0.W_s"][0, 0] = np.nan
    with pytest.raises(InputError, match=r"0\.W_s holds a value that is not finite"):
        model.forward([1])
