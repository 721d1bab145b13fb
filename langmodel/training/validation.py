"""The validation split, read by all processes together."""

from collections.abc import Callable

from langmodel.network.evaluation import Interrupted, Likelihood, evaluate_windows
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import Windows
from langmodel.training.distributed import Ranks


def validate(
    network: RecurrentLM, windows: Windows, ranks: Ranks, should_stop: Callable[[], bool]
) -> Likelihood:
    """Over the columns of all processes. Raises Interrupted in all when one is asked to stop."""
    part, interrupted = Likelihood(0.0, 0, 0.0, 0), False
    try:
        part = evaluate_windows(network, windows, should_stop)
    except Interrupted:
        interrupted = True
    nll, tokens, oov_nll, oov, stopped = ranks.sums(
        part.nll, part.tokens, part.oov_nll, part.oov, interrupted
    )
    if stopped:
        raise Interrupted
    return Likelihood(nll, int(tokens), oov_nll, int(oov))
