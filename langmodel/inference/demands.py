"""What a whole sentence must be like: those that are not are drawn again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langmodel.ngrams.copied_runs import CopiedRuns
from langmodel.text.vocabulary import UNK_ID


@dataclass(frozen=True)
class Demand:
    """A test of the drawn ids, without END."""

    holds: Callable[[Sequence[int]], bool]
    says: str
    """What the sentences that pass are: for "3 of 200 sentences …"."""
    remedy: str


def free_of_unknown_words(after: int) -> Demand:
    """No UNK among the words after the first `after`, which were given."""
    return Demand(
        lambda ids: UNK_ID not in ids[after:],
        "were free of unknown words",
        "use --unk reject, or a larger vocabulary",
    )


def _stands_in(ids: Sequence[int], part: Sequence[int]) -> bool:
    return any(list(ids[at : at + len(part)]) == list(part) for at in range(len(ids) - len(part) + 1))


def includes(part: Sequence[int], word: str) -> Demand:
    """`part`: the ids of what is called `word`, in a row."""
    return Demand(
        lambda ids: _stands_in(ids, part),
        f"had the word {word!r}",
        "ask for a likelier word, begin with it (--prefix), or allow longer sentences",
    )


def avoids(part: Sequence[int], word: str, given: int) -> Demand:
    """The same, nowhere but within the first `given` words, the prefix; for what the tokenizer cuts, so that
    no single id can be ruled out.
    """
    first = max(0, given - len(part) + 1)
    return Demand(
        lambda ids: not _stands_in(ids[first:], part),
        f"were free of {word!r}",
        "ban fewer words, or use another prefix",
    )


def copies_at_most(runs: CopiedRuns, words: int) -> Demand:
    """No run of more than `words` words stands in the training text."""
    return Demand(
        lambda ids: runs.longest_run(ids) <= words,
        f"copied at most {words} words in a row from the training text",
        "raise --max-overlap or --temperature; a model that knows its text by heart has nothing else to say",
    )
