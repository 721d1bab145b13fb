"""Quotation marks and brackets that close: a filter that knows what a sentence, or a passage, has opened."""

from collections.abc import Iterable
from dataclasses import dataclass

from langmodel.text.vocabulary import END_ID, UNK_ID, Vocabulary

PAIRS = (
    ("``", "''"),
    ("“", "”"),
    ("«", "»"),
    ("(", ")"),
    ("[", "]"),
    ("{", "}"),
    ("「", "」"),
    ("『", "』"),
    ("《", "》"),
    ("〈", "〉"),
    ("（", "）"),
    ("【", "】"),
    ("‹", "›"),
    ("-LRB-", "-RRB-"),
)

GERMAN = ("„", "“")
"""Where a text opens with „, a “ closes."""

SINGLE = ("‘", "’")
"""The second is an apostrophe too: it may stand where nothing is open."""

STRAIGHT = '"'
"""Opens and closes in turn, in text whose tokenizer leaves it as it is."""


@dataclass(frozen=True)
class Balance:
    """Which ids open what, for one vocabulary."""

    closers: dict[int, int]
    """Opening id -> closing id; the same for a mark that does both."""
    strict: frozenset[int]
    """Closing ids that may stand only where they close something."""

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> "Balance":
        known = [pair for pair in PAIRS if pair[0] in vocabulary and pair[1] in vocabulary]
        if GERMAN[0] in vocabulary and GERMAN[1] in vocabulary:
            known = [pair for pair in known if pair[0] != GERMAN[1]] + [GERMAN]
        strict = frozenset(vocabulary.id_of(closer) for _, closer in known)
        if SINGLE[0] in vocabulary and SINGLE[1] in vocabulary:
            known.append(SINGLE)
        closers = {vocabulary.id_of(opener): vocabulary.id_of(closer) for opener, closer in known}
        if STRAIGHT in vocabulary:
            closers[vocabulary.id_of(STRAIGHT)] = vocabulary.id_of(STRAIGHT)
        return cls(closers, strict)

    def after(self, ids: Iterable[int]) -> list[int]:
        """The closing ids that are owed after `ids`, the next one last."""
        owed: list[int] = []
        for id in ids:
            self.follow(owed, id)
        return owed

    def follow(self, owed: list[int], id: int) -> None:
        """Bring what is owed up to date with one more id."""
        if id in owed:
            while owed.pop() != id:
                pass
        elif id in self.closers:
            owed.append(self.closers[id])

    def ruled_out(self, owed: list[int], *, may_end: bool, room: int) -> list[int]:
        """Ids that must not come next: what closes nothing, opens again or opens without `room` (in words) to
        close, and END while something is owed.
        """
        next_owed = owed[-1] if owed else UNK_ID
        out = [id for id in self.strict if id != next_owed]
        has_room = room >= len(owed) + 2
        out += [
            opener
            for opener, closer in self.closers.items()
            if (closer in owed and opener != closer) or not (has_room or opener in owed)
        ]
        if owed and not may_end:
            out.append(END_ID)
        return out
