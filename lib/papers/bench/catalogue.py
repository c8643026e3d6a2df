"""Which models the bench can train, and what each can take: declared, so that nothing heavy is loaded to ask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lib.errors import InputError
from lib.model_file import ModelFile
from lib.params import Modality

Steps = Literal["any", "equal", "vectors"]
ALL = ("text", "audio", "video")
KERNELS = {"text": 3, "audio": 5, "video": 3}
"""Of MulT (`lib.models.mult`)."""


@dataclass(frozen=True)
class Model:
    """A model of `lib.models` by what it asks of a corpus.

    `dialogues`: it sees an utterance within its dialogue, else alone. `steps`: of a corpus of utterances, "equal" joins
    the modalities step by step, "vectors" reads one vector of sound and picture, which are averaged for it. `needs` are
    the modalities without which it is not defined, `fewest` how many it needs of any. `options` are further arguments
    of its constructor that a YAML may give. `own`: it is a person's, who names its file (`docs/own_model.md`); what its
    constructor takes is not known before its code is run, so `options` holds nothing.
    """

    title: str
    architecture: str
    dialogues: bool = False
    steps: Steps = "any"
    needs: tuple[Modality, ...] = ()
    fewest: int = 1
    shortest: Mapping[str, int] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    own: bool = False


_RECURRENT = ("cell", "layers", "bidirectional", "pooling")
_ENCODER = ("layers", "feedforward")
MODELS: dict[str, Model] = {
    "ef_lstm": Model("EF-LSTM", "ef_lstm:EFLSTM", steps="equal"),
    "bi_ef_lstm": Model("biEFLSTM", "ef_lstm:BiEFLSTM", steps="equal"),
    "mfn": Model("MFN", "mfn:MFN", steps="equal"),
    "lmf": Model("LMF", "low_rank:LMF", steps="vectors", options=("rank", "rank_sum", "batch_norm_init")),
    "tfn": Model("TFN", "tensor_fusion:TFN", steps="vectors", options=("batch_norm_init",)),
    "concatenation": Model(
        "concatenation", "concatenation:Concatenation", steps="vectors", options=("batch_norm_init",)
    ),
    "eea": Model("EEA", "eea:EEA", options=(*_RECURRENT, "vectors")),
    "ef_rnn": Model("EF-RNN", "recurrent_baselines:EarlyFusionRNN", steps="equal", options=_RECURRENT),
    "lf_rnn": Model("LF-RNN", "recurrent_baselines:LateFusionRNN", options=_RECURRENT),
    "ef_lf_rnn": Model("EF+LF-RNN", "recurrent_baselines:EarlyLateFusionRNN", steps="equal", options=_RECURRENT),
    "text_selective": Model(
        "text-selective RNN", "recurrent_baselines:TextSelectiveRNN", steps="equal", needs=ALL, options=_RECURRENT
    ),
    "transformer": Model(
        "EF transformer",
        "early_fusion_transformer:EarlyFusionTransformer",
        steps="equal",
        options=("heads", *_ENCODER, "attention_axis"),
    ),
    "mult": Model("MulT", "mult:MulT", needs=ALL, shortest=KERNELS, options=("heads", "layers", "positions")),
    "late_fusion": Model("LateFusion", "late_fusion:LateFusion", dialogues=True, options=(*_ENCODER, "padding_mask")),
    "mmgcn": Model("MMGCN", "mmgcn:MMGCN", dialogues=True, options=_ENCODER),
    "mm_dfn": Model("MM-DFN", "mm_dfn:MMDFN", dialogues=True, fewest=2, options=_ENCODER),
    "dialogue_gcn": Model(
        "DialogueGCN", "dialogue_gcn:DialogueGCN", dialogues=True, options=(*_ENCODER, "past", "future", "padding_mask")
    ),
    "biddin": Model("BiDDIN", "biddin:BiDDIN", dialogues=True, options=("attention_axis", "padding_mask")),
}
"""By the name that a YAML gives, utterances first."""
ELSEWHERE = {
    "MME2E, dense and sparse": "reads images, waveforms and tokens, minutes per epoch: end_to_end_sparse",
    "LF-LSTM, LF-TRANS": "read the hand-crafted features of those recordings, with a length per modality: "
    "end_to_end_sparse",
    "LMF, TFN and concatenation over words by number": "learn word vectors: low_rank_fusion",
}
"""Models of the library that are not in the bench, and where they are run."""


def find(name: str) -> Model:
    """What a model is and takes. One that is named by its file is not read. Raises ValueError for an unknown name."""
    if name in MODELS:
        return MODELS[name]
    try:
        return Model(ModelFile.named(name).name, "own:OwnModel", own=True)
    except InputError:
        there = f"there are {', '.join(MODELS)}, and yours by path/to/file.py:Class"
        raise ValueError(f"no model {name!r}; {there}") from None
