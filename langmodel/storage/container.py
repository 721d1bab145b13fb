"""Named tensors and a JSON document in one safetensors file, checksummed as a whole.

The document sits in the header's metadata under one key, so that equal content gives equal bytes.
Its `sha256` is that of the file with those 64 digits set to zero: it covers every byte.
"""

# Part of langmodel's file format: docs/formats.md describes it for other programs.

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from langmodel.errors import LangModelError, ModelFileError, NewerFormatError

FORMAT = 7
"""Raised when an older langmodel could no longer read what this one writes."""

KEY = "langmodel"
BLANK_DIGEST = "0" * 64
MAX_HEADER_BYTES = 32 * 2**20
"""Room for a million words. JSON may take many times its size in memory before it is refused."""

MAX_TENSORS = 4_096
"""Of one file; the largest network has a few hundred, its training state three times as many."""

MAX_BRACKETS = 400_000
"""In a header outside of its document's text: what JSON makes of them may take a hundred times their size."""

MAX_DOCUMENT_BYTES = MAX_HEADER_BYTES - 2**20
"""The rest is for the names and shapes of the tensors."""


def pack(tensors: dict[str, Tensor], document: dict[str, Any]) -> bytes:
    """The file's bytes.

    Raises ValueError if `document` holds a number that is not finite, and LangModelError if it is too large.
    """
    text = _as_text({"format": FORMAT, "sha256": BLANK_DIGEST, **document})
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    data: bytes = save_tensors(plain, {KEY: text})
    place = _digest_place(data)
    digest = hashlib.sha256(data).hexdigest().encode()
    return data[:place] + digest + data[place + len(digest) :]


def _as_text(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, allow_nan=False, ensure_ascii=False)
    size = len(json.dumps(text, ensure_ascii=False).encode())
    if size > MAX_DOCUMENT_BYTES:
        raise LangModelError(
            f"vocabulary and settings take {size / 2**20:.1f} MiB, and a model file has room for "
            f"{MAX_DOCUMENT_BYTES >> 20}; prepare the corpus with a smaller --vocabulary-size"
        )
    return text


def refuse_too_large(document: dict[str, Any]) -> None:
    """Raises LangModelError for a document that `pack` would refuse; nothing has to be trained for it."""
    _as_text(document)


def _digest_place(data: bytes, digest: str = BLANK_DIGEST) -> int:
    header = data[: 8 + int.from_bytes(data[:8], "little")]
    marker = f'\\"sha256\\": \\"{digest}\\"'.encode()
    if header.count(marker) != 1:
        raise ValueError("the digest's place is not unique")
    return header.index(marker) + marker.index(digest.encode())


def read_document(path: Path, data: bytes) -> dict[str, Any]:
    """The JSON document of a file, once the checksum agrees.

    Raises ModelFileError, saying what to do, for foreign, damaged and newer files.
    """
    if len(data) < 8 or not 2 <= int.from_bytes(data[:8], "little") <= min(len(data) - 8, MAX_HEADER_BYTES):
        raise ModelFileError(f"{path}: not a model file, or cut short; {_REMEDY}")
    try:
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        document = json.loads(header["__metadata__"][KEY])
        found, digest = document["format"], document["sha256"]
    except (ValueError, TypeError, LookupError, RecursionError):
        raise ModelFileError(f"{path}: damaged, or not written by langmodel; {_REMEDY}") from None
    if type(found) is not int or type(digest) is not str or len(digest) != len(BLANK_DIGEST):
        raise ModelFileError(f"{path}: damaged, or not written by langmodel; {_REMEDY}")
    if found < 1:
        raise ModelFileError(f"{path}: format {found}, which never existed; {_REMEDY}")
    if found > FORMAT:
        raise NewerFormatError(
            f"{path}: format {found}; this version reads up to {FORMAT}. Upgrade langmodel to read it"
        )
    try:
        place = _digest_place(data, digest)
    except ValueError:
        raise ModelFileError(f"{path}: damaged; {_REMEDY}") from None
    blanked = hashlib.sha256(data[:place])
    blanked.update(BLANK_DIGEST.encode())
    blanked.update(data[place + len(digest) :])
    if blanked.hexdigest() != digest:
        raise ModelFileError(f"{path}: damaged (its checksum does not match); {_REMEDY}")
    return dict(document)


_REMEDY = "restore it from a copy, or train again"


def read_file(path: Path) -> bytes:
    """A regular file's bytes, once its header says that it is a model file of that size.

    Raises ModelFileError if there are none to be had; a large file that is something else is not read.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such model file; give a run directory or a .safetensors file")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            prefix = file.read(8)
            length = int.from_bytes(prefix, "little")
            if len(prefix) < 8 or not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
                raise ModelFileError(f"{path}: not a model file, or cut short; {_REMEDY}")
            header = file.read(length)
            _refuse_odd_header(path, header, size - 8 - length)
            return prefix + header + file.read()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror})") from None


def _refuse_odd_header(path: Path, header: bytes, data_bytes: int) -> None:
    """On counts alone, before JSON takes memory for it; then that the tensors are as large as the file."""
    damaged = ModelFileError(f"{path}: damaged, or not written by langmodel; {_REMEDY}")
    if (
        header.count(b'"data_offsets"') > MAX_TENSORS
        or header.count(b"[") + header.count(b"{") > MAX_BRACKETS
    ):
        raise damaged
    try:
        names = json.loads(header, object_pairs_hook=_without_repeats)
        ends = [entry["data_offsets"][1] for name, entry in names.items() if name != "__metadata__"]
        fits = set(names.get("__metadata__", {})) == {KEY} and max(ends, default=0) == data_bytes
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise damaged from None
    if not fits:
        raise damaged


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name appears twice")
    return found


def read_tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    """The tensors of a file that `read_document` accepted."""
    try:
        return dict(load_tensors(data))
    except (SafetensorError, ValueError, KeyError, RuntimeError, OverflowError) as error:
        raise ModelFileError(f"{path}: damaged ({error}); {_REMEDY}") from None
