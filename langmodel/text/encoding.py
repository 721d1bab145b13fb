"""One passage batch -> ids, in any process: the part of preprocessing that is worth sharing out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from langmodel.text.casing import INITIAL, first_word, is_capitalised
from langmodel.text.pipeline import Pipeline

END_MARK, UNK_MARK, FIRST_TYPE = 0, 1, 2
"""Provisional ids while the vocabulary is not known yet: END, `unk_token`, then the types as they come."""


@dataclass(frozen=True)
class EncodedBatch:
    """Passages as provisional ids, numbered inside the batch; `types[i]` has id FIRST_TYPE + i."""

    ids: npt.NDArray[np.uint32]
    types: list[str]
    sentences: int
    longest_sentence: int


@lru_cache(maxsize=2)
def _pipeline(settings: str) -> Pipeline:
    return Pipeline.from_dict(json.loads(settings))


def encode_batch(settings: str, passages: Sequence[str]) -> EncodedBatch:
    """Split and tokenize passages. `settings` is a pipeline's JSON, so that any process can be sent it.

    Every sentence's ids are followed by END_MARK; a passage without words leaves nothing. With case `true`,
    a capitalised first word is a type of its own, marked INITIAL.
    """
    pipeline = _pipeline(settings)
    normalize, unk_token, finds_case = pipeline.normalize, pipeline.unk_token, pipeline.case == "true"
    known: dict[str, int] = {}
    types: list[str] = []
    seen = {} if unk_token is None else {normalize(unk_token): UNK_MARK}
    ids: list[int] = []
    sentences = longest = 0
    for passage in passages:
        for sentence in pipeline.split_sentences(passage):
            words = pipeline.tokenize(sentence)
            if not words:
                continue
            if finds_case and (first := first_word(words)) is not None and is_capitalised(words[first]):
                words[first] = INITIAL + words[first]
            for word in words:
                id = known.get(word)
                if id is None:
                    normal = normalize(word)
                    id = seen.get(normal)
                    if id is None:
                        id = seen[normal] = FIRST_TYPE + len(types)
                        types.append(normal)
                    known[word] = id
                ids.append(id)
            ids.append(END_MARK)
            sentences += 1
            longest = max(longest, len(words))
    return EncodedBatch(np.array(ids, np.uint32), types, sentences, longest)
