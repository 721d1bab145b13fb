"""The same networks in plain NumPy, written as the textbook equations: oracle and teacher.

    from langmodel.reference import ReferenceLM, gradient_check, train_with_sgd

Read `cells.py` beside the equations, then `language_model.py` for the loss and truncated BPTT. Nothing
here is fast; everything is checked against the fast code, and the fast code against it.
"""

from langmodel.reference.cells import CELLS, GRUCell, LSTMCell, RNNCell
from langmodel.reference.convert import from_network, to_network
from langmodel.reference.gradients import GradientCheck, gradient_check
from langmodel.reference.language_model import ReferenceLM
from langmodel.reference.layers import Bidirectional, Stack
from langmodel.reference.training import train_with_sgd

__all__ = [
    "CELLS",
    "Bidirectional",
    "GRUCell",
    "GradientCheck",
    "LSTMCell",
    "RNNCell",
    "ReferenceLM",
    "Stack",
    "from_network",
    "gradient_check",
    "to_network",
    "train_with_sgd",
]
