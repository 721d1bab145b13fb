import numpy as np
import pytest
import torch
from conftest import CELLS, make_model

from langmodel.errors import ConfigError


@pytest.mark.parametrize("cell", CELLS)
def test_the_last_of_the_sequence_is_the_final_state(cell):
    lm = make_model(cell, hidden_sizes=(4, 4))
    states = lm.hidden_states("a b zebra")
    assert states.words == ("a", "b", "zebra")
    assert states.sequence.shape == (3, 2, 4)
    assert np.array_equal(states.sequence[-1], states.hidden)
    assert (states.cell is None) == (cell != "lstm")
    _, state = lm.network.read([3, 4, 0])
    torch.testing.assert_close(torch.from_numpy(states.hidden[1]), state[1][0][0])
    if states.cell is not None:
        torch.testing.assert_close(torch.from_numpy(states.cell[0]), state[0][1][0])


def test_the_top_layer_is_what_predicts_the_next_word():
    lm = make_model("gru", hidden_sizes=(4, 4))
    hidden, _ = lm.network.read([3, 4])
    torch.testing.assert_close(torch.from_numpy(lm.hidden_states("a b").sequence[-1, -1]), hidden[0])


def test_the_empty_text_has_no_step_but_a_state():
    states = make_model().hidden_states("")
    assert states.sequence.shape == (0, 1, 4)
    assert np.abs(states.hidden).max() > 0  # START has been read


def test_layers_of_different_size_are_refused():
    with pytest.raises(ConfigError, match="4, 3 units"):
        make_model(hidden_sizes=(4, 3)).hidden_states("a")
