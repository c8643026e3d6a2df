"""Our backbones from the configuration and the weights of an SPCL reference file."""

import torch
from torch import Tensor, nn

from lib.models.biddin import BiDDIN
from lib.models.dialogue_gcn import DialogueGCN
from lib.models.dialogues import ConversationModel
from lib.models.dropout import Dropout
from lib.models.late_fusion import LateFusion
from lib.models.mm_dfn import MMDFN
from lib.models.mmgcn import MMGCN
from tests.parity.reference import Vectors


def unused(name: str, config: dict) -> bool:
    """Parameters that the reference creates and never uses; our models do not have them."""
    if config["backbone"] == "biddin":
        return name.startswith("net.uni_fc.") or name.endswith(".multihead_attn.transform.weight")
    return name == "net.speaker_embeddings.weight"


def our_name(name: str, config: dict) -> str:
    """The name in our state dict of a parameter of the reference."""
    parts = name.replace("transformer_encoder.layers", "layers").split(".")[1:]
    if parts[0] == "gated_attention":  # modalities by position, and a misspelt word
        modalities = [config["modalities"][int(digit)] for digit in parts[2]]
        kind = {"transform_m": "transform", "tranfrorm_cross": "gate"}[parts[1]]
        parts = [parts[0], kind, "_".join(modalities), *parts[3:]]
    if config["backbone"] == "dialogue_gcn":
        parts = [{"transformer_out": "lin_out"}.get(p, p) for p in parts if p not in ("gcn", "conv2", "clf")]
    if config["backbone"] == "biddin":  # net.uni_bimodel.<modality>.<part>...
        modality, part, *rest = parts[1:]
        direction = {"dialog_rnn_f": "0", "dialog_rnn_r": "1"}.get(part)
        parts = ["recurrence", "lanes", modality, direction, *rest[1:]] if direction else [part, modality, *rest]
    return ".".join(parts)


def build(config: dict) -> ConversationModel:
    sizes = {m: config["dims"][m] for m in config["modalities"]}
    encoder = {"layers": config["encoder_nlayers"], "feedforward": config["ff"], "dropout": config["drop_rate"]}
    match config["backbone"]:
        case "late_fusion" | "mmgcn" | "mm_dfn":
            model = {"late_fusion": LateFusion, "mmgcn": MMGCN, "mm_dfn": MMDFN}[config["backbone"]]
            return model(sizes, classes_of(config), hidden=config["hidden_dim"], **encoder)
        case "dialogue_gcn":
            return DialogueGCN(
                sizes,
                classes_of(config),
                speakers=speakers_of(config),
                hidden=config["hidden_dim"],
                graph_hidden=config["hidden2_dim"],
                past=config["wp"],
                future=config["wf"],
                heads=config["trans_head"],
                **encoder,
            )
        case "biddin":
            return BiDDIN(
                sizes,
                classes_of(config),
                speakers=speakers_of(config),
                global_size=config["hidden_dim"],
                party_size=config["hidden2_dim"],
                emotion_size=config["hidden3_dim"],
                hidden=config["hidden4_dim"],
                attention_size=config["D_att"],
                context_attention=config["context_attention"],
                listener_state=config["listener_state"],
                dropout=config["drop_rate"],
            )
    raise AssertionError(f"unknown backbone {config['backbone']}")


def classes_of(config: dict) -> int:
    return {"iemocap": 6, "meld": 7}[config["dataset"]]


def speakers_of(config: dict) -> int:
    return {"iemocap": 2, "meld": 8}[config["dataset"]]


def without_dropout(model: nn.Module) -> nn.Module:
    """Also the rates that the reference fixes: its files were written with every dropout at 0."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.p = 0.0
    return model


def reference_names(vectors: Vectors) -> dict[str, str]:
    """The reference's name of each of our parameters."""
    config = vectors.config
    return {our_name(name, config): name for name in vectors.under("w") if not unused(name, config)}


def loaded(vectors: Vectors, dtype: torch.dtype = torch.float64) -> ConversationModel:
    """The model of a file with its weights, loaded strictly, and no dropout."""
    model = build(vectors.config).to(dtype)
    state = vectors.state_dict(dtype)
    model.load_state_dict({ours: state[name] for ours, name in reference_names(vectors).items()}, strict=True)
    return without_dropout(model)


def inputs(vectors: Vectors, dtype: torch.dtype = torch.float64) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    features = {m: vectors.tensor(f"in/{m}", dtype) for m in vectors.config["dims"]}
    return features, vectors.tensor("in/length"), vectors.tensor("in/speaker_tensor")
