"""The errors that langmodel raises, and the exit code that each one means on the command line."""

from collections.abc import Iterator
from contextlib import contextmanager


class LangModelError(Exception):
    """A failure that langmodel explains in one line: what was found, where, and what to do."""

    exit_code = 1


class InputError(LangModelError):
    """Input that cannot be used: an argument, a file, a text."""

    exit_code = 2


class ConfigError(InputError):
    """A setting out of its range, or two settings that do not go together."""


class CorpusError(InputError):
    """A corpus, raw or preprocessed, that cannot be read."""


class ModelFileError(InputError):
    """A model file that is damaged, foreign, or of a newer format."""


class NewerFormatError(ModelFileError):
    """A model file that a later langmodel has written: whole, but not for this version."""


class WorkersLost(LangModelError):
    """Processes that shared the work are gone; what they finished is whole."""


class TrainingError(LangModelError):
    """Training had to stop: the loss or a gradient is no longer a number, say."""


class SamplingError(LangModelError):
    """No sentence can be drawn under the given constraints."""


@contextmanager
def needs_extra(extra: str, what: str) -> Iterator[None]:
    """Raises InputError, naming the extra to install, where an import inside fails."""
    try:
        yield
    except ImportError as error:
        raise InputError(f"{what} needs {error.name}: pip install 'langmodel[{extra}]'") from None
