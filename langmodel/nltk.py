"""A trained model with the methods of `nltk.lm.api.LanguageModel`.

    from langmodel.nltk import LanguageModel
    lm = LanguageModel("checkpoints/demo")
    lm.score("cat", ["the"])

A context is the whole sentence so far: a network has no order. `<s>` in front of it may be given or left
out, `</s>` is the end of a sentence. Probabilities are of words of the vocabulary; others are `<UNK>`.
"""

import math
import random
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NoReturn

import nltk.lm
import nltk.lm.api
import torch
from torch import Tensor

import langmodel.network.cells as cells
from langmodel.errors import LangModelError
from langmodel.inference.filters import ban
from langmodel.inference.language_model import LanguageModel as Model
from langmodel.inference.language_model import load
from langmodel.inference.sampling import draw
from langmodel.network.likelihood import perplexity
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

CACHED_CONTEXTS = 1_024

START_LABEL, END_LABEL = "<s>", "</s>"


MAX_ORDER = 2**31 - 1


class Vocabulary(nltk.lm.Vocabulary):  # type: ignore[misc]
    """The words of a model, with their counts in its training text; looked up as its pipeline writes them."""

    def __init__(self, lm: Model) -> None:
        self._normalize = lm.pipeline.normalize
        # A model that was imported has no counts; its words are known all the same.
        counts = {w: max(1, n) for w, n in zip(lm.vocabulary.words, lm.vocabulary.counts, strict=True)}
        super().__init__({START_LABEL: 1, END_LABEL: 1, **counts}, unk_cutoff=1)

    def __contains__(self, item: object) -> bool:
        return bool(
            super().__contains__(item)
            or (isinstance(item, str) and super().__contains__(self._normalize(item)))
        )


class LanguageModel(nltk.lm.api.LanguageModel):  # type: ignore[misc]
    """`path` is a run directory or a model file. States are remembered per context."""

    def __init__(self, path: str | Path) -> None:
        self._lm = load(path)
        self.vocab = Vocabulary(self._lm)
        self._states: OrderedDict[tuple[int, ...], tuple[Tensor, cells.State]] = OrderedDict()

    order = MAX_ORDER
    """The whole history counts."""

    @property
    def counts(self) -> NoReturn:
        """Raises LangModelError: a network counts nothing."""
        raise LangModelError("a network has no counts; see `vocab.counts` for those of single words")

    def context_counts(self, context: object) -> NoReturn:
        """Raises LangModelError: a network counts nothing."""
        raise LangModelError("a network has no counts of contexts; `score` gives the probabilities after one")

    def fit(self, text: object, vocabulary_text: object = None) -> None:
        """Raises LangModelError: a network is trained by `langmodel train`."""
        raise LangModelError("a loaded model cannot be fitted; train one with `langmodel train`")

    def _id(self, word: str) -> int:
        if not isinstance(word, str):
            raise TypeError(f"Unsupported type for looking up in vocabulary: {type(word)}")
        if word in (START_LABEL, END_LABEL):
            return START_ID if word == START_LABEL else END_ID
        return self._lm.pipeline.encode([word], self._lm.vocabulary)[0]

    @torch.inference_mode()
    def _after(self, context: tuple[int, ...]) -> tuple[Tensor, cells.State]:
        """What the output layer reads after START and `context`, and the state there."""
        found = self._states.get(context)
        if found is not None:
            self._states.move_to_end(context)
            return found
        if context and context[:-1] in self._states:
            token = torch.tensor([[context[-1]]], device=self._lm.predictor.device)
            hidden_11O, state = self._lm.predictor(token, self._after(context[:-1])[1])
            found = hidden_11O[0], state
        else:
            found = self._lm.predictor.read(context)
        self._states[context] = found
        if len(self._states) > CACHED_CONTEXTS:
            self._states.popitem(last=False)
        return found

    def _context_ids(self, context: Sequence[str] | None) -> tuple[int, ...]:
        """The words since the last sentence border."""
        ids = [self._id(word) for word in context or ()]
        borders = [at for at, id in enumerate(ids) if id in (START_ID, END_ID)]
        return tuple(ids[borders[-1] + 1 :] if borders else ids)

    def unmasked_score(self, word: str, context: Sequence[str] | None = None) -> float:
        """p(word | context); unknown words are looked up, so it is the same as `score`."""
        return self.score(word, context)

    def score(self, word: str, context: Sequence[str] | None = None) -> float:
        """p(word | START context); 0 for <s>."""
        return math.exp(self._log_prob(word, context))

    @torch.inference_mode()
    def _log_prob(self, word: str, context: Sequence[str] | None) -> float:
        network = self._lm.predictor
        output_1O, _ = self._after(self._context_ids(context))
        log_probs_1V = network.output_layer.log_probabilities(output_1O)
        return log_probs_1V[0, self._id(word)].item()

    def logscore(self, word: str, context: Sequence[str] | None = None) -> float:
        """log2 p(word | START context)."""
        return self._log_prob(word, context) / math.log(2)

    def entropy(self, text_ngrams: Iterable[Sequence[str]]) -> float:
        """Mean -log2 p of the last word of each n-gram given those before it. Raises ValueError for none.

        N-grams that end in <s>, which is never predicted, are left out.
        """
        predicted = (ngram for ngram in text_ngrams if ngram[-1] != START_LABEL)
        scores = [self.logscore(ngram[-1], ngram[:-1]) for ngram in predicted]
        if not scores:
            raise ValueError("the entropy of no n-grams")
        return -math.fsum(scores) / len(scores)

    def perplexity(self, text_ngrams: Iterable[Sequence[str]]) -> float:
        """2 ** entropy."""
        return perplexity(self.entropy(text_ngrams) * math.log(2), 1)

    @torch.inference_mode()
    def generate(
        self,
        num_words: int = 1,
        text_seed: Sequence[str] | None = None,
        random_seed: int | random.Random | None = None,
    ) -> str | list[str]:
        """`num_words` words after `text_seed`: one as a string, several as a list (NLTK's way).

        UNK is never among them; after </s> a new sentence begins.
        """
        chance = random_seed if isinstance(random_seed, random.Random) else random.Random(random_seed)  # noqa: S311
        network = self._lm.predictor
        context = self._context_ids(text_seed)
        words: list[str] = []
        for _ in range(num_words):
            output_1O, _state = self._after(context)
            allowed_1V = ban([UNK_ID])(network.output_layer.logits(output_1O).cpu())
            uniform = torch.tensor([chance.random()], dtype=torch.float64)
            id = int(draw(torch.softmax(allowed_1V, 1), uniform).item())
            words.append(END_LABEL if id == END_ID else self._lm.vocabulary.word_of(id))
            context = () if id == END_ID else (*context, id)
        return words[0] if num_words == 1 else words
