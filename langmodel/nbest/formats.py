"""N-best lists as other programs write them: lines -> hypotheses, and hypotheses -> lines with a new score.

One class and one entry in NBEST_FORMATS each. Nothing is guessed: the format is named by who calls.
"""

from langmodel.nbest.format import NBestFormat
from langmodel.nbest.speech_formats import HyPoradise, Kaldi, Srilm, Utterance
from langmodel.nbest.translation_formats import Fairseq, Moses, OpenNMT

NBEST_FORMATS: dict[str, NBestFormat] = {
    "srilm": Srilm(),
    "moses": Moses(),
    "fairseq": Fairseq(),
    "opennmt": OpenNMT(),
    "kaldi": Kaldi(),
    "utterance": Utterance(),
    "hyporadise": HyPoradise(),
}
