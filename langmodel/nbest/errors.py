"""Word errors of a hypothesis against its reference."""

from langmodel.errors import InputError


def word_errors(reference: str, hypothesis: str) -> int:
    """Substitutions, deletions and insertions of whitespace words (extra `[nbest]`: jiwer)."""
    try:
        import jiwer
    except ImportError:
        raise InputError("tune-nbest needs jiwer: pip install 'langmodel[nbest]'") from None
    if not reference.split() or not hypothesis.split():
        return max(len(reference.split()), len(hypothesis.split()))
    found = jiwer.process_words(reference, hypothesis)
    return int(found.substitutions + found.deletions + found.insertions)
