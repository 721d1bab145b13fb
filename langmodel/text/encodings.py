"""Which encodings a piece of text that is not UTF-8 is likely to have."""

import unicodedata

SAMPLE_BYTES = 2**16

EAST_ASIAN = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr")

WESTERN = ("cp1252", "cp850", "mac_roman", "cp1250", "iso8859_2")

CYRILLIC = ("cp1251", "koi8_r", "cp866")

OTHER = ("cp1253", "cp1254", "cp1255", "cp1256", "tis_620")

FOREIGN_SHARE = 0.25
"""Above this share of bytes beyond ASCII, a text is not written in Latin letters."""

LEAST_SCORE = 0.6
"""Of the characters beyond ASCII, this share must be what a text of the encoding is made of."""

COMMON_EAST_ASIAN = ((0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFF00, 0xFFEF))

TYPOGRAPHIC = frozenset("‘’“”„«»–—…°§£€¿¡·\xa0")


def likely_encodings(block: bytes, most: int = 2) -> list[str]:
    """The likeliest first, at most `most`; none where no candidate reads like text."""
    sample = block[:SAMPLE_BYTES]
    sample = sample[: sample.rfind(b"\n") + 1] or sample
    foreign = sum(byte >= 0x80 for byte in sample) / max(1, len(sample))
    candidates = (*EAST_ASIAN, *CYRILLIC, *OTHER) if foreign > FOREIGN_SHARE else (*WESTERN, *EAST_ASIAN)
    scored = [(_score(sample, name), -place, name) for place, name in enumerate(candidates)]
    ranked = sorted((entry for entry in scored if entry[0] >= LEAST_SCORE), reverse=True)
    return [name for _, _, name in ranked[:most]]


def _score(sample: bytes, name: str) -> float:
    """The share of characters beyond ASCII that a text of the encoding is made of; 0: not decodable."""
    try:
        text = sample.decode(name)
    except UnicodeDecodeError:
        return 0.0
    foreign = [character for character in text if character >= "\x80"]
    if not foreign:
        return 0.0
    if name in EAST_ASIAN:
        return sum(map(_is_east_asian, foreign)) / len(foreign)
    return sum(map(_fits, " " + text, text)) / len(foreign)


def _is_east_asian(character: str) -> bool:
    return any(low <= ord(character) <= high for low, high in COMMON_EAST_ASIAN)


def _fits(previous: str, character: str) -> bool:
    """A letter beyond ASCII whose case goes with the one before it, or a mark of typography."""
    if character < "\x80":
        return False
    if character in TYPOGRAPHIC:
        return True
    category = unicodedata.category(character)
    if category == "Lu":
        return not previous.islower()
    return category in ("Ll", "Lo", "Lm", "Mn")
