"""RecurrentLM <-> ReferenceLM: the same weights, the same probabilities."""

import numpy as np
import torch

from langmodel.errors import ConfigError
from langmodel.network.architecture import Architecture
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.reference.cells import CELLS, LSTMCell
from langmodel.reference.language_model import ReferenceLM
from langmodel.text.vocabulary import START_ID

LAYER_NAMES = {"W_x": "weight_ih", "W_s": "weight_hh", "b_x": "bias_ih", "b_s": "bias_hh"}


def from_network(network: RecurrentLM) -> ReferenceLM:
    """The network in NumPy, in the network's precision; dropout is left out.

    A tied network becomes an untied one whose V equals E. Raises ConfigError for a tied network that
    needs a projection: the textbook has none.
    """
    a = network.architecture
    a.needs_exact_softmax("the reference")
    if network.projection is not None:
        raise ConfigError("a tied network of unequal sizes has a projection; the reference has none")
    if a.cell not in CELLS:
        raise ConfigError(f"the reference has no {a.cell}; it has {', '.join(CELLS)}")
    dtype = network.embedding.detach().cpu().numpy().dtype
    model = ReferenceLM(
        a.vocabulary_size,
        a.hidden_sizes,
        CELLS[a.cell](),
        embedding_size=a.embedding_size,
        bias=a.bias,
        banned=[START_ID],
        dtype=dtype,
    )
    weights = {name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}
    own = model.parameters
    own["V"][...] = network.output_weight.detach().cpu().numpy()
    if a.embedding_size:
        own["E"][...] = weights["embedding"]
    else:
        own["U"][...] = weights["embedding"].T
    if a.bias:
        own["c"][...] = weights["output_bias"]
    for name, array in own.items():
        layer, _, part = name.partition(".")
        if part:
            array[...] = weights[f"layers.{layer}.{LAYER_NAMES[part]}"]
    return model


def to_network(model: ReferenceLM) -> RecurrentLM:
    """The model as an untied RecurrentLM of the same precision.

    Raises ConfigError for what RecurrentLM does not have: peepholes, clipping, projection, a forget
    bias beside the learnt one, or another banned word than START.
    """
    cell = model.stack.cell
    (name,) = [name for name, kind in CELLS.items() if isinstance(cell, kind)]
    if isinstance(cell, LSTMCell) and cell != LSTMCell():
        raise ConfigError(f"RecurrentLM has no {cell}; only the plain LSTM converts")
    if model.banned != [START_ID]:
        raise ConfigError(f"RecurrentLM bans START ({START_ID}) alone, the model bans {model.banned}")
    p = model.parameters
    network = RecurrentLM(
        Architecture(
            vocabulary_size=model.vocabulary_size,
            cell=name,
            embedding_size=p["E"].shape[1] if "E" in p else 0,
            hidden_sizes=model.stack.hidden_sizes,
            tied=False,
            bias=model.bias,
        )
    )
    weights = {"embedding": p["E"] if "E" in p else p["U"].T, "output": p["V"]}
    if model.bias:
        weights["output_bias"] = p["c"]
    for key, array in p.items():
        layer, _, part = key.partition(".")
        if part:
            weights[f"layers.{layer}.{LAYER_NAMES[part]}"] = array
    tensors = {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in weights.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval()
