"""The weights that the original tutorial's code saves: an .npz of U, V and W, and its list of words."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from langmodel.errors import InputError
from langmodel.reference.language_model import ReferenceLM
from langmodel.text.vocabulary import START_ID, Vocabulary

START_TOKEN, END_TOKEN = "SENTENCE_START", "SENTENCE_END"

MAX_ARRAY_BYTES = 2**29


def read_tutorial(weights: Path, words: Sequence[str], *, where: str) -> tuple[ReferenceLM, Vocabulary]:
    """The tutorial's network and vocabulary, its rows in langmodel's order.

    `words` lists the tutorial's words by index: all C of them, or all but the last, which stands for
    every unknown word. SENTENCE_START and SENTENCE_END are among them. Nothing is trained anew, but
    START loses the small probability that the tutorial gives it. Raises InputError for arrays that
    are missing, pickled, not finite or of shapes that do not fit, and for a list that does not.
    """
    arrays = _read_arrays(weights)
    U, V, W = (arrays[name] for name in "UVW")
    H, C = U.shape if U.ndim == 2 else (0, 0)
    if H == 0 or V.shape != (C, H) or W.shape != (H, H):
        raise InputError(
            f"{weights}: U is {U.shape}, V {V.shape}, W {W.shape}; expected hidden × words, "
            "words × hidden, hidden × hidden"
        )
    if len(words) not in (C - 1, C):
        raise InputError(f"{where}: {len(words)} words; the weights have {C}, the last one unknown")
    known = list(words[: C - 1])
    for token in (START_TOKEN, END_TOKEN):
        if known.count(token) != 1:
            raise InputError(f"{where}: {token} is listed {known.count(token)} times, expected once")
    specials = [C - 1, known.index(START_TOKEN), known.index(END_TOKEN)]
    order = [*specials, *(index for index in range(C - 1) if index not in specials[1:])]
    plain = [known[index] for index in order[3:]]
    vocabulary = Vocabulary(plain, [0] * len(plain))
    model = ReferenceLM(C, (H,), banned=[START_ID], dtype=np.float32)
    model.parameters["U"][...] = U[:, order]
    model.parameters["V"][...] = V[order]
    model.parameters["0.W_s"][...] = W
    return model, vocabulary


def _read_arrays(weights: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with zipfile.ZipFile(weights) as archive:
            for member in archive.infolist():
                if member.file_size > MAX_ARRAY_BYTES:
                    raise InputError(
                        f"{weights}: {member.filename} is larger than {MAX_ARRAY_BYTES >> 20} MiB"
                    )
        with np.load(weights, allow_pickle=False) as archive:
            missing = [name for name in "UVW" if name not in archive]
            if missing:
                found = ", ".join(archive.files) or "nothing"
                raise InputError(f"{weights}: no array {', '.join(missing)}; it holds {found}")
            arrays = {name: np.asarray(archive[name]) for name in "UVW"}
    except FileNotFoundError:
        raise InputError(f"{weights}: no such file; give the .npz that the tutorial saved") from None
    except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{weights}: not an .npz of plain arrays ({error})") from None
    for name, array in arrays.items():
        if not np.issubdtype(array.dtype, np.floating) or not np.isfinite(array).all():
            raise InputError(f"{weights}: {name} holds values that are not finite numbers")
    return arrays
