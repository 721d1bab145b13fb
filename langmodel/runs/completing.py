"""What a finished run adds to its best network: n-grams of the same text, and a gate between the two."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from langmodel.display.narration import Narrator
from langmodel.errors import ConfigError, InputError
from langmodel.network.evaluation import evaluation_windows
from langmodel.network.mixture import NgramPart
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray
from langmodel.ngrams.arpa import read_arpa
from langmodel.ngrams.comparison import ORDER, best_mixture
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.ngrams.packed import PackedNgrams, packed
from langmodel.runs.comparison import compare_with_baselines, whole_sentences
from langmodel.storage.atomic import locked_directory
from langmodel.storage.model_file import BEST, load_model, save_model
from langmodel.storage.ngram_tensors import ngram_tensors
from langmodel.storage.run_files import RUN, read_run
from langmodel.text.corpus import Corpus
from langmodel.text.vocabulary import Vocabulary
from langmodel.training.gate import fit_gate

MAX_TRAIN_TOKENS = 20_000_000
"""Above this, counting would take minutes and gigabytes."""

BYTES_PER_TOKEN = 400
"""Of memory while n-grams up to five words are counted; an estimate for messages."""

FITTED_TOKENS = 100_000
"""No more of the validation split is looked at."""

LEAST_MATCH = 0.1
"""Of a vocabulary's words, those that an ARPA file must have."""

WORTH = 0.002
"""Nats per token: n-grams that are worth less than this are left out."""


def refuse_too_large(corpus: Corpus, order: int) -> None:
    """Raises ConfigError for more text than n-grams are counted of, before anything is trained."""
    tokens = corpus.statistics["train"].targets
    if order and tokens > MAX_TRAIN_TOKENS:
        raise ConfigError(
            f"--ngrams {order}: counting the n-grams of {tokens:,} tokens would take about "
            f"{tokens * BYTES_PER_TOKEN / 1e9:.0f} GB; give --ngrams 0"
        )


@dataclass(frozen=True)
class _Read:
    """A text as the network sees it, token by token."""

    hidden_NO: Tensor
    network_N: Tensor
    """Natural-log probabilities, float64."""
    inputs_N: Tensor
    targets_N: Tensor

    def contexts(self, ngrams: PackedNgrams) -> Tensor:
        """Shape (N, K); no context reaches over the START of a sentence."""
        return ngrams.contexts(self.inputs_N.unsqueeze(1), ngrams.no_context(1))[:, 0]

    def log_probs(self, ngrams: PackedNgrams) -> Tensor:
        """Of each token by the n-grams, float64."""
        return ngrams.probabilities(self.contexts(ngrams), self.targets_N).double().log()


def finish(
    directory: Path, corpus: Corpus, device: torch.device, narrator: Narrator, *, compares: bool
) -> None:
    """What a run still does at its end: n-grams beside its network; if it is finished, a comparison."""
    run, path = read_run(directory), directory / BEST
    if not corpus.statistics["valid"].tokens or not path.is_file():
        return
    config, arpa = run.get("config"), run.get("arpa")
    if isinstance(config, dict) and config.get("backward"):
        return
    order = config.get("ngrams", 0) if isinstance(config, dict) else 0
    if type(order) is not int or not isinstance(arpa, str | None):
        raise InputError(f"{directory / RUN}: ngrams or arpa is malformed; restore the file, or train again")
    compares = compares and bool(run.get("finished"))
    if corpus.statistics["train"].targets > MAX_TRAIN_TOKENS:
        narrator.tell(f"no n-grams, and no comparison with them: over {MAX_TRAIN_TOKENS:,} training tokens")
        return
    lacks = order > 0 and load_model(path).ngrams is None
    if compares or (lacks and arpa is None):
        counted = KneserNey(corpus.split("train"), len(corpus.vocabulary), order or ORDER)
    if lacks:
        source = counted if arpa is None else read_matching_arpa(Path(arpa), corpus.vocabulary, narrator)
        complete(directory, corpus, source, device, narrator)
    if compares:
        compare_with_baselines(path, corpus, counted, device, narrator)


def complete(
    directory: Path,
    corpus: Corpus,
    source: KneserNey | PackedNgrams,
    device: torch.device,
    narrator: Narrator,
) -> None:
    """Put n-grams and gate into the best model of a finished run, and say what they take."""
    path = directory / BEST
    with locked_directory(directory) as lock:
        saved = load_model(path, device)
        read = _read(saved.network, whole_sentences(corpus.split("valid"), FITTED_TOKENS), saved.context)
        ngrams = source.to(device) if isinstance(source, PackedNgrams) else _chosen(source, read, device)
        known_NK = ngrams.known(read.contexts(ngrams))
        gate = fit_gate(read.hidden_NO, known_NK, read.network_N, read.log_probs(ngrams))
        lock.verify()
        save_model(path, replace(saved, ngrams=NgramPart(ngrams, gate)))
    megabytes = sum(tensor.nbytes for tensor in ngram_tensors(NgramPart(ngrams, gate)).values()) / 1e6
    narrator.tell(
        f"mixed with {ngrams.order}-grams: {ngrams.size:,} of them, {megabytes:.1f} MB in "
        f"{path.name} (--ngrams 0 leaves them out)"
    )


@torch.inference_mode()
def _read(network: RecurrentLM, ids: IdArray, context: str) -> _Read:
    """In the context of the training, one column."""
    hidden, log_probs, inputs, targets = [], [], [], []
    state = network.zero_state(1)
    for window in evaluation_windows(ids, context, 1).epoch(0):
        window = window.to(network.device)
        if window.fresh:
            state = network.zero_state(1)
        hidden_T1O, state = network(window.inputs_TB, state)
        hidden.append(hidden_T1O[:, 0].clone())
        log_probs.append(-network.output_layer.token_nll(hidden[-1], window.targets_N).double())
        inputs.append(window.inputs_TB[:, 0])
        targets.append(window.targets_N)
    return _Read(*(torch.cat(parts) for parts in (hidden, log_probs, inputs, targets)))


def _chosen(counted: KneserNey, read: _Read, device: torch.device) -> PackedNgrams:
    """The fewest n-grams that are, beside the network at one weight, within WORTH of the best."""
    tried = []
    for order, least_counts in _candidates(counted.order):
        ngrams = packed(counted, order, least_counts).to(device)
        log_probs = read.log_probs(ngrams).cpu().numpy()
        tried.append((ngrams, best_mixture(read.network_N.cpu().numpy(), log_probs)[1]))
    best = min(loss for _, loss in tried)
    return min((ngrams for ngrams, loss in tried if loss <= best + WORTH), key=lambda ngrams: ngrams.size)


def _candidates(order: int) -> list[tuple[int, Sequence[int]]]:
    """Orders and least counts: all n-grams, only shorter ones, or the longer ones only where seen twice."""
    whole: list[tuple[int, Sequence[int]]] = [(n, ()) for n in range(order, min(order, 2) - 1, -1)]
    pruned = [(order, (*[1] * (kept - 1), *[2] * (order - kept))) for kept in range(2, order)]
    return whole + pruned


def read_matching_arpa(path: Path, vocabulary: Vocabulary, narrator: Narrator) -> PackedNgrams:
    """The n-grams of an ARPA file, and a line on how well they match. Raises InputError if hardly at all."""
    found = read_arpa(path, vocabulary)
    share = found.matched / max(1, len(vocabulary.words))
    line = (
        f"{path}: {found.words:,} words, among them {found.matched:,} of the vocabulary's "
        f"{len(vocabulary.words):,}"
    )
    if share < LEAST_MATCH:
        raise InputError(f"{line}; these n-grams use different words (case? tokenizer?)")
    narrator.say(line)
    return found.ngrams
