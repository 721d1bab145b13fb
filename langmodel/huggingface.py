"""A trained model as a model and a tokenizer of Hugging Face's transformers (extra `[hf]`).

    from langmodel.huggingface import LangModelForCausalLM, LangModelTokenizer, from_langmodel
    model, tokenizer = from_langmodel("checkpoints/demo")     # or lm.to_huggingface()
    model.save_pretrained("demo-hf"), tokenizer.save_pretrained("demo-hf")
    model = AutoModelForCausalLM.from_pretrained("demo-hf")   # once this module has been imported

Ids are the vocabulary's: 0 UNK, 1 START (the bos token), 2 END (eos, and padding). A text should begin with
the bos token, as the network's sentences do; END and START in the middle both begin another sentence. Logits
are log-probabilities, of the network mixed with its n-grams where it has some; START has none.
"""

# B = batch, T = time, V = vocabulary, R = what is left to be read at each step

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationMixin,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import ModelOutput

from langmodel.errors import ConfigError
from langmodel.huggingface_tokenizer import LangModelTokenizer
from langmodel.inference.language_model import LanguageModel, load
from langmodel.network.architecture import Architecture
from langmodel.network.cells import State, select_state
from langmodel.network.mixture import NgramPart, predictor_of
from langmodel.network.predictor import Predictor
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.storage.ngram_tensors import ngram_tensors, read_ngrams
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID


class LangModelConfig(PreTrainedConfig):  # type: ignore[misc]
    """Shapes of the network and its n-grams: `ngrams` has their order, and each tensor's shape and type."""

    model_type = "langmodel"

    def __init__(
        self,
        architecture: Mapping[str, Any] | None = None,
        ngrams: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.architecture = dict(architecture or Architecture(vocabulary_size=4).to_dict())
        self.ngrams = None if ngrams is None else dict(ngrams)
        self.vocab_size = self.architecture["vocabulary_size"]
        self.hidden_size = self.architecture["hidden_sizes"][-1]
        self.num_hidden_layers = len(self.architecture["hidden_sizes"])
        kwargs = {"bos_token_id": START_ID, "eos_token_id": END_ID, "pad_token_id": END_ID, **kwargs}
        super().__init__(**{**kwargs, "tie_word_embeddings": False})


@dataclass
class LangModelOutput(ModelOutput):  # type: ignore[misc]
    """What a forward pass gives."""

    loss: Tensor | None = None
    """Mean -log p of the labels, in nats."""
    logits: Tensor | None = None
    """Shape (B, T, V)."""
    state: Any = None
    """After each row's last token."""


class LangModelForCausalLM(PreTrainedModel, GenerationMixin):  # type: ignore[misc]
    """The network behind transformers' interface."""

    config_class = LangModelConfig
    base_model_prefix = "network"
    main_input_name = "input_ids"
    _is_stateful = True

    def __init__(self, config: LangModelConfig) -> None:
        super().__init__(config)
        self.network = RecurrentLM(Architecture.from_dict(config.architecture))
        if config.ngrams is not None:
            for name, (shape, kind) in config.ngrams["tensors"].items():
                self.register_buffer(_buffer(name), torch.empty(shape, dtype=getattr(torch, kind)))
        self._predictor: Predictor | None = None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """The network draws its own."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # the state is the network's own

    def get_input_embeddings(self) -> nn.Module:
        raise NotImplementedError("the vocabulary is the model's own, and cannot be resized")

    @property
    def predictor(self) -> Predictor:
        """The network, mixed with its n-grams if it has any."""
        if self.config.ngrams is None:
            return self.network
        if self._predictor is None:
            tensors = {name: getattr(self, _buffer(name)) for name in self.config.ngrams["tensors"]}
            a = self.network.architecture
            part = read_ngrams(tensors, self.config.ngrams["order"], a.vocabulary_size, a.output_size)
            self._predictor = predictor_of(self.network, part)
        return self._predictor

    def _apply(self, *arguments: Any, **more: Any) -> Any:
        self._predictor = None  # made of tensors that may move
        return super()._apply(*arguments, **more)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        state: State | None = None,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
        **ignored: Any,
    ) -> Any:
        """`input_ids` of shape (B, T); where `attention_mask` is 0, nothing is read.

        `state` is that of an earlier output, whose rows go on here. `labels` are shifted here, and -100 has
        no part in the loss. Only a network without n-grams and with an exact
        softmax has a gradient.
        """
        read_BTR, after = self._read(input_ids, attention_mask, state)
        logits = self._logits(read_BTR)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        output = LangModelOutput(loss=loss, logits=logits, state=after)
        return output.to_tuple() if return_dict is False else output

    def _logits(self, read_BTR: Tensor) -> Tensor:
        flat_NR = read_BTR.flatten(0, 1)
        network = self.network
        if torch.is_grad_enabled() and self.config.ngrams is None and not network.architecture.cutoffs:
            logits_NV = F.linear(flat_NR, network.output_weight, network.output_bias)
            is_start_V = torch.arange(logits_NV.shape[1], device=logits_NV.device) == START_ID
            log_probs_NV = torch.log_softmax(logits_NV.masked_fill(is_start_V, -torch.inf), 1)
        else:
            log_probs_NV = self.predictor.output_layer.log_probabilities(flat_NR)
        return log_probs_NV.view(*read_BTR.shape[:2], -1)

    def _read(self, ids_BT: Tensor, mask_BT: Tensor | None, state: State | None) -> tuple[Tensor, State]:
        """What is left to be read at every step, shape (B, T, R), and each row's state after its last token.

        Rows of one length are read together, so that padding, on either side, changes nothing.
        """
        ids_BT = ids_BT.masked_fill(ids_BT == END_ID, START_ID)  # after END, a sentence begins
        B, T = ids_BT.shape
        state = self.predictor.zero_state(B) if state is None else state
        if mask_BT is None:
            lengths = [T] * B
            order_BT = None
        else:
            mask_BT = mask_BT[:, -T:].bool()
            lengths = mask_BT.sum(1).tolist()
            order_BT = torch.argsort((~mask_BT).long(), dim=1, stable=True)
        if len(set(lengths)) == 1 and lengths[0] == T:
            read_TBR, after = self.predictor(ids_BT.t(), state)
            return read_TBR.transpose(0, 1), after
        assert order_BT is not None
        read: Tensor | None = None
        states: list[tuple[list[int], State]] = []
        for length in sorted(set(lengths)):
            rows = [row for row, each in enumerate(lengths) if each == length]
            own = select_state(state, rows)
            if length:
                places = order_BT[rows, :length]
                read_TBR, own = self.predictor(ids_BT[rows].gather(1, places).t(), own)
                if read is None:
                    read = read_TBR.new_zeros(B, T, read_TBR.shape[2])
                index = torch.tensor(rows, device=read.device).unsqueeze(1)
                read = read.index_put((index, places), read_TBR.transpose(0, 1))
            states.append((rows, own))
        if read is None:
            raise ConfigError("the attention mask leaves nothing to read")
        return read, _joined(states)

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, state: State | None = None, attention_mask: Tensor | None = None, **more: Any
    ) -> dict[str, Any]:
        """With a state, only the last token is new."""
        if state is not None:
            return {"input_ids": input_ids[:, -1:], "state": state}
        return {"input_ids": input_ids, "attention_mask": attention_mask}

    def _update_model_kwargs_for_generation(
        self, outputs: Any, model_kwargs: dict[str, Any], *arguments: Any, **more: Any
    ) -> dict[str, Any]:
        updated = super()._update_model_kwargs_for_generation(outputs, model_kwargs, *arguments, **more)
        return {**updated, "state": outputs.state}


def _buffer(name: str) -> str:
    return "ngrams_" + name.replace(".", "__")


def _joined(states: Sequence[tuple[list[int], State]]) -> State:
    """The states of some rows each, as one in the order of the rows."""
    rows = torch.tensor([row for own, _ in states for row in own])
    back = torch.argsort(rows)
    first = states[0][1]
    return tuple(
        tuple(torch.cat([own[layer][part] for _, own in states])[back] for part in range(len(first[layer])))
        for layer in range(len(first))
    )


def from_langmodel(model: LanguageModel | str | Path) -> tuple[LangModelForCausalLM, LangModelTokenizer]:
    """The model and the tokenizer of a LanguageModel, a run directory or a model file."""
    lm = model if isinstance(model, LanguageModel) else load(model)
    config = LangModelConfig(lm.network.architecture.to_dict(), _shapes(lm.ngrams))
    made = LangModelForCausalLM(config)
    made.network.load_state_dict(lm.network.state_dict())
    if lm.ngrams is not None:
        for name, tensor in ngram_tensors(lm.ngrams).items():
            made.register_buffer(_buffer(name), tensor)
    made.generation_config.suppress_tokens = [UNK_ID]
    return made.eval(), LangModelTokenizer(language=(lm.vocabulary, lm.pipeline))


def _shapes(ngrams: NgramPart | None) -> dict[str, Any] | None:
    if ngrams is None:
        return None
    tensors = ngram_tensors(ngrams)
    return {
        "order": ngrams.ngrams.order,
        "tensors": {n: [list(t.shape), str(t.dtype).removeprefix("torch.")] for n, t in tensors.items()},
    }


AutoConfig.register(LangModelConfig.model_type, LangModelConfig)
AutoModelForCausalLM.register(LangModelConfig, LangModelForCausalLM)
AutoTokenizer.register(LangModelConfig, fast_tokenizer_class=LangModelTokenizer)
