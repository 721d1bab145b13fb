"""How far a run got beside n-grams on the same split and vocabulary, said at its end."""

from pathlib import Path

import numpy as np
import torch

from langmodel.display.model_report import shown_perplexity
from langmodel.display.narration import Narrator
from langmodel.inference.scoring import token_log_probs
from langmodel.network.mixture import Mixture
from langmodel.network.windows import IdArray
from langmodel.ngrams.comparison import Comparison, compare
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.storage.model_file import SavedModel, load_model
from langmodel.text.corpus import Corpus
from langmodel.text.vocabulary import END_ID

MAX_VALID_TOKENS = 500_000
"""No more of the validation split is compared: the network reads it word after word."""


def whole_sentences(ids: IdArray, most: int) -> IdArray:
    """The beginning of a stream, of no more than `most` tokens and all sentences whole."""
    if len(ids) <= most:
        return ids
    return ids[: np.flatnonzero(ids[:most] == END_ID).max(initial=-1) + 1]


def compare_with_baselines(
    model: Path, corpus: Corpus, counted: KneserNey, device: torch.device, narrator: Narrator
) -> None:
    """Print what the best network, a unigram, n-grams, and both together make of the validation split."""
    valid, train = whole_sentences(corpus.split("valid"), MAX_VALID_TOKENS), corpus.split("train")
    saved = load_model(model, device)
    log_probs = token_log_probs(saved.network, valid, saved.context)
    mixed = None
    if saved.ngrams is not None:
        mixed = float(-token_log_probs(Mixture(saved.network, saved.ngrams), valid, saved.context).mean())
    narrator.tell(report(compare(log_probs, counted, train, valid), counted.order, mixed, saved))


def report(found: Comparison, order: int, mixed: float | None, saved: SavedModel) -> str:
    rows = [
        ("unigram", found.unigram, ""),
        (f"Kneser-Ney {order}-gram", found.kneser_ney, ""),
        ("this network", found.network, ""),
        ("network and n-gram", found.mixture, f"  ({found.network_share:.2f} of the network)"),
        *(
            []
            if mixed is None
            else [("this model", mixed, "  (mixed word by word, by a gate fitted to this text)")]
        ),
    ]
    lines = [
        f"validation perplexity compared with simple models ({found.tokens:,} tokens, "
        f"{len(saved.vocabulary):,} vocabulary rows):"
    ]
    lines += [f"  {name:<20}{shown_perplexity(loss):>10}{note}" for name, loss, note in rows]
    if found.network_loses:
        lines.append(
            "  the network loses to the n-gram: train longer (--resume --epochs N), or on more text"
            if found.kneser_ney <= found.unigram
            else "  the network loses even to the unigram: lower --learning-rate, or train longer"
        )
    return "\n".join(lines)
