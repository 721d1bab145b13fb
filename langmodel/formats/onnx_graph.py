"""A network as an ONNX graph (extra `[onnx]`): ids and state in, log-probabilities and state out.

The graph is written operator by operator: Gather, an RNN, GRU or LSTM for each layer, MatMul, LogSoftmax.
Time and batch are free, so that the same file reads a whole sentence at once, or a word at a time with its
state.
"""

# T = time, B = batch, V = vocabulary, H = hidden, G = gates × H

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from langmodel.errors import InputError
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.storage.model_file import SavedModel, language_of
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

OPSET = 17

IR_VERSION = 10
"""Both are read by onnxruntime 1.18 and newer."""

Array = npt.NDArray[Any]

OPERATORS = {"rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}

GATE_ORDER = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""Where ONNX's gates (z r h; i o f c) stand among ours (r z n; i f g o)."""

STATES = {"rnn": ("h",), "gru": ("h",), "lstm": ("h", "c")}


def onnx_bytes(saved: SavedModel) -> bytes:
    """The file's bytes. N-grams beside the network are left out. Raises InputError without the extra."""
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError:
        raise InputError("export-onnx needs onnx: pip install 'langmodel[onnx]'") from None
    network, a = saved.network, saved.network.architecture
    if a.cell not in OPERATORS:
        raise InputError(f"ONNX has no operator for the cell {a.cell}; it has {', '.join(OPERATORS)}")
    graph = _Graph(helper, onnx.numpy_helper)
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["time", "batch"])]
    outputs = [
        helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, ["time", "batch", a.vocabulary_size])
    ]
    for layer, size in enumerate(a.hidden_sizes):
        for name in STATES[a.cell]:
            for values, end in ((inputs, ""), (outputs, "_out")):
                info = helper.make_tensor_value_info(
                    f"{name}{layer}{end}", TensorProto.FLOAT, [1, "batch", size]
                )
                values.append(info)
    _write_network(graph, network)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "langmodel", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="langmodel",
    )
    helper.set_model_props(
        model,
        {
            "langmodel": json.dumps(
                {
                    **language_of(saved.vocabulary, saved.pipeline),
                    "special_ids": {"unk": UNK_ID, "start": START_ID, "end": END_ID},
                },
                ensure_ascii=False,
            )
        },
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and constants, in the order in which they are added."""

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self._helper, self._numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: Array) -> str:
        self.constants.append(self._numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> str:
        self.nodes.append(self._helper.make_node(operator, inputs, outputs, **attributes))
        return outputs[0]


def _write_network(graph: _Graph, network: RecurrentLM) -> None:
    a = network.architecture
    a.needs_exact_softmax("ONNX")
    weights = {n: t.detach().cpu().float().numpy() for n, t in network.state_dict().items()}
    hidden = graph.add("Gather", [graph.constant("embedding", weights["embedding"]), "ids"], ["embedded"])
    axis = graph.constant("axis", np.array([1], np.int64))
    for layer, size in enumerate(a.hidden_sizes):
        hidden = _write_layer(graph, weights, a.cell, layer, size, hidden, axis)
    if "projection" in weights:
        matrix = graph.constant("projection", weights["projection"].T)
        hidden = graph.add("MatMul", [hidden, matrix], ["projected"])
    output = weights["embedding" if a.tied else "output"]
    bias = weights.get("output_bias", np.zeros(a.vocabulary_size, np.float32)).copy()
    bias[START_ID] = -np.inf
    logits = graph.add("MatMul", [hidden, graph.constant("output", output.T)], ["products"])
    logits = graph.add("Add", [logits, graph.constant("output_bias", bias)], ["logits"])
    graph.add("LogSoftmax", [logits], ["log_probs"], axis=-1)


def _write_layer(
    graph: _Graph, weights: dict[str, Array], cell: str, layer: int, size: int, hidden: str, axis: str
) -> str:
    """One recurrent operator; its output (T, 1, B, H) loses the direction."""
    order = GATE_ORDER[cell]
    rows = len(order) * size

    def of(name: str, otherwise: Array) -> Array:
        """In ONNX's order of gates, with its axis of directions."""
        found = weights.get(f"layers.{layer}.{name}", otherwise)
        parts = np.split(found, len(order))
        return np.concatenate([parts[gate] for gate in order])[np.newaxis].astype(np.float32)

    nothing = np.zeros(rows, np.float32)
    # Without an input matrix, the input already is every gate's share.
    w = graph.constant(f"W{layer}", of("weight_ih", np.eye(rows, dtype=np.float32)))
    r = graph.constant(f"R{layer}", of("weight_hh", nothing))
    bias = np.concatenate([of("bias_ih", nothing), of("bias_hh", nothing)], axis=1)
    b = graph.constant(f"B{layer}", bias)
    names = STATES[cell]
    more = {"linear_before_reset": 1} if cell == "gru" else {}
    outputs = [f"y{layer}", *(f"{name}{layer}_out" for name in names)]
    inputs = [hidden, w, r, b, "", *(f"{name}{layer}" for name in names)]
    graph.add(OPERATORS[cell], inputs, outputs, hidden_size=size, **more)
    return graph.add("Squeeze", [f"y{layer}", axis], [f"hidden{layer}"])
