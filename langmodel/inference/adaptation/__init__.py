"""Better predictions of a text by what is learnt at test time: temperature, neural cache, dynamic evaluation.

Each reads a split as one document, word after word, and looks at a word only after it has predicted it.
What has to be set is found on the validation split. Perplexities so reached stand beside plain ones, never
in their place.
"""

from collections.abc import Callable

from langmodel.inference.adaptation.cache import fit_cache
from langmodel.inference.adaptation.dynamic import fit_dynamic
from langmodel.inference.adaptation.fitting import Adaptation
from langmodel.inference.adaptation.temperature import fit_temperature
from langmodel.network.mixture import NgramPart
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray

ADAPTATIONS: dict[str, Callable[[RecurrentLM, NgramPart | None, IdArray, IdArray], Adaptation]] = {
    "temperature": fit_temperature,
    "cache": fit_cache,
    "dynamic": fit_dynamic,
}
"""Network, its n-grams, training and validation split -> what is learnt at test time, settings found."""
