"""Word-level recurrent language models: preprocess, train, sample, score.

import langmodel
lm = langmodel.load("checkpoints/demo")
lm.score("the cat sat .").log_prob
for sentence in lm.sample(10, seed=1):
    print(sentence)
lm.next_words("the cat", k=5)
"""

from typing import TYPE_CHECKING, Any

from langmodel.errors import LangModelError

if TYPE_CHECKING:
    from langmodel.inference.language_model import LanguageModel, load
    from langmodel.inference.settings import SamplingSettings

__version__ = "0.1.0"

__all__ = ["LangModelError", "LanguageModel", "SamplingSettings", "load"]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    """Import what is asked for, and torch with it, only then."""
    if name == "SamplingSettings":
        from langmodel.inference import settings

        return settings.SamplingSettings
    if name in __all__:
        from langmodel.inference import language_model

        return getattr(language_model, name)
    raise AttributeError(f"module 'langmodel' has no attribute {name!r}")
