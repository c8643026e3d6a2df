"""Every family of models at its published sizes, with training that can be called and a minibatch to be answered."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import conversations, eea, end_to_end, fusion, speed
from benchmarks.cases import EFLSTM, PAPER_BIEFLSTM, PAPER_MFN, TINY_MFN
from lib.data.batches import Batches, Examples
from lib.papers.self_paced_balance import SelfPacedBalance
from lib.papers.self_paced_balance import study as self_paced
from lib.training.recipe import Member, ModelSpec, Recipe

Precision = str
PRECISIONS = ("float64", "float32", "tf32", "bfloat16")
EXACT = "exact float32"
WIDTHS = {"text": 300, "audio": 144, "video": 35}
"""Of hand-crafted features (spec end_to_end, section 5.6), all three cut to `STEPS` steps."""
STEPS, EMOTIONS = 50, 6


@dataclass(frozen=True)
class Family:
    """`unit` is what `training(device, precision)` trains at every call of what it returns.

    `minibatch(device, dtype)` gives the model with the weights of seed 0 in training mode but without dropout, and
    inputs for it.
    """

    name: str
    unit: str
    training: Callable[[str, Precision], Callable[[], object]]
    minibatch: Callable[[str, torch.dtype], tuple[nn.Module, Mapping[str, object]]]


@contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """Within the block a GPU multiplies float32 numbers as `precision` says; a CPU knows no difference.

    "tf32": TF32 everywhere; "exact float32": nowhere; all others: torch's own default, which is TF32 in the
    convolutions and recurrent layers of cuDNN and nowhere else.
    """
    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision != EXACT
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = cudnn


def all_families(quick: bool) -> list[Family]:
    """By paper; nothing is built yet."""
    return [*_cases(quick), *_emotions(quick), *_handcrafted(quick), *_conversations(quick), *_end_to_end(quick)]


def backbones_and_end_to_end(quick: bool) -> list[Family]:
    """The families for which a compiler is tried; in the quick mode one that it is done with in seconds."""
    if quick:
        return [family for family in _emotions(quick) if family.name == "EF transformer"]
    return [*_conversations(quick), *_end_to_end(quick)[:1]]


def rounded(member: Member, precision: Precision) -> Member:
    """The member trained in this precision; TF32 is no matter of the recipe."""
    kind = "float32" if precision in ("tf32", EXACT) else precision
    return replace(member, recipe=replace(member.recipe, precision=kind))


def _examples(name: str, member: Member, splits: Callable[[str], Mapping[str, Examples]]) -> Family:
    def training(device: str, precision: Precision) -> Callable[[], object]:
        one, found = rounded(member, precision), dict(splits(device))
        found = {split: _as(batches, one.recipe.dtype) for split, batches in found.items()}
        return fusion.loop_epoch(one, found)

    def minibatch(device: str, dtype: torch.dtype) -> tuple[nn.Module, Mapping[str, object]]:
        batch = splits("cpu")["train"].take(slice(0, member.recipe.batch_size))
        return _model(member.model.build, device, dtype), _moved(batch.inputs, device, dtype)

    return Family(name, "training epoch", training, minibatch)


def _cases(quick: bool) -> list[Family]:
    colearning = [TINY_MFN] if quick else [PAPER_MFN, EFLSTM, PAPER_BIEFLSTM]
    found = []
    for case in colearning:
        member = replace(case.members(1)[0], modality_dropout=None, evaluate_on=tuple(case.widths))
        found.append(_examples(case.name, member, lambda device, case=case: speed.on_device(case, device)))
    for case in (fusion.TINY if quick else fusion.CASES).values():

        def splits(device: str, case=case) -> dict[str, Examples]:
            return {name: _on(split, device) for name, split in fusion.corpus(case).items()}

        found.append(_examples(case.name, fusion.member(case), splits))
    return found


def _emotions(quick: bool) -> list[Family]:
    """EEA, its recurrent baselines with the same options, the two transformers with the reference's for IEMOCAP."""
    base, early, classes = eea.member(dropout=0.15), 300, eea.EMOTIONS
    hidden, mult, transformer = dict(eea.HIDDEN), {}, {}
    model, samples = base.model, eea.SAMPLES
    if quick:
        hidden, early, samples = dict.fromkeys(hidden, 4), 4, {"train": 4, "valid": 2}
        vectors = [row[:4] for row in model.arguments["emotion_vectors"]]
        model = replace(model, arguments={**model.arguments, "hidden": hidden, "emotion_vectors": vectors})
        mult = {"width": 8, "heads": 2, "layers": 1}
        transformer = mult | {"feedforward": 8, "head_hidden": 4}
    options = {"classes": classes, "layers": 2, "dropout": 0.15, "bidirectional": True}
    baselines = "recurrent_baselines"
    specs = {
        "EEA": model,
        "EF-RNN": ModelSpec(f"{baselines}:EarlyFusionRNN", {"hidden": early} | options),
        "LF-RNN (EEA's)": ModelSpec(f"{baselines}:LateFusionRNN", {"hidden": hidden} | options),
        "EF+LF-RNN": ModelSpec(f"{baselines}:EarlyLateFusionRNN", {"hidden": hidden, "early_hidden": early} | options),
        "text-selective RNN": ModelSpec(f"{baselines}:TextSelectiveRNN", {"hidden": early} | options),
        "EF transformer": ModelSpec(
            "early_fusion_transformer:EarlyFusionTransformer", {"classes": classes, **transformer}
        ),
        "MulT": ModelSpec("mult:MulT", {"classes": classes, **mult}),
    }
    members = {
        name: replace(base, model=ModelSpec(spec.name, {"sizes": dict(eea.SIZES)} | dict(spec.arguments)))
        for name, spec in specs.items()
    }
    return [
        _examples(name, member, lambda device: eea.random_splits(samples, device)) for name, member in members.items()
    ]


def _handcrafted(quick: bool) -> list[Family]:
    """LF-RNN and LF-Transformer of the end-to-end paper, on sequences of 50 steps without padding."""
    recipe = Recipe(loss="bce", epochs=1, batch_size=32, learning_rate=5e-4, plateau_patience=None, drop_last=False)
    widths = {"text": 300, "audio": 12, "video": 10} if quick else WIDTHS
    samples, steps = (8, 4) if quick else (640, STEPS)

    def splits(device: str) -> dict[str, Examples]:
        rng = np.random.default_rng(2)
        inputs = {
            m: torch.from_numpy(rng.normal(size=(samples, steps, w)).astype(np.float32)) for m, w in widths.items()
        }
        inputs |= {f"{m}_lengths": torch.full((samples,), steps) for m in widths}
        targets = torch.from_numpy((rng.random((samples, EMOTIONS)) < 0.3).astype(np.float32))
        return {"train": _on(Examples(inputs, targets), device)}

    found = []
    for name, kind in (("LF-RNN", "LFRNN"), ("LF-Transformer", "LFTransformer")):
        spec = ModelSpec(f"handcrafted_baselines:{kind}", {"sizes": widths})
        member = Member(name, 0, spec, recipe, train_on=tuple(widths), evaluate_on=tuple(widths))
        found.append(_examples(name, member, splits))
    return found


def _conversations(quick: bool) -> list[Family]:
    return [_conversation(backbone, quick) for backbone in conversations.BACKBONES]


def _conversation(backbone: str, quick: bool) -> Family:
    def made() -> tuple[Member, conversations.Corpus]:
        p, counts = conversations.parameters(quick), conversations.lengths(32)
        if quick:
            p, counts = _tiny(p, backbone), [4, 3]
        whole = conversations.corpus(counts, p.widths)
        return self_paced.member(p, whole, 12, backbone, "atv", spcl=True), whole

    def training(device: str, precision: Precision) -> Callable[[], object]:
        member, whole = made()
        one = rounded(member, precision)
        return conversations.our_epoch(one, whole.batches("train", dtype=one.recipe.dtype, device=device))

    def minibatch(device: str, dtype: torch.dtype) -> tuple[nn.Module, Mapping[str, object]]:
        member, whole = made()
        batch = whole.batches("train", dtype=dtype, device=device).take(slice(0, member.recipe.batch_size))
        return _model(member.model.build, device, dtype), batch.inputs

    return Family(f"{self_paced.TITLES[backbone]} with SPCL", "two minibatches of 16 dialogues", training, minibatch)


def _tiny(p: SelfPacedBalance, backbone: str) -> SelfPacedBalance:
    """The same with every width of the backbone and its layers 8."""
    setting = getattr(p.backbones, backbone)
    widths = [name for name in type(setting).model_fields if name == "hidden" or name.endswith(("_hidden", "_size"))]
    setting = setting.model_copy(update=dict.fromkeys(widths, 8))
    backbones = p.backbones.model_copy(update={backbone: setting})
    return p.model_copy(update={"backbones": backbones, "layers": 1, "feedforward": 8})


def _end_to_end(quick: bool) -> list[Family]:
    return [_recordings(name, quick) for name in end_to_end.models(quick)]


def _recordings(name: str, quick: bool) -> Family:
    def training(device: str, precision: Precision) -> Callable[[], object]:
        dtype = torch.float64 if precision == "float64" else torch.float32
        torch.manual_seed(0)
        model = end_to_end.models(quick)[name]().to(device, dtype).train()
        one = end_to_end.step(model, _moved(end_to_end.minibatch(quick, device), device, dtype))

        def step() -> None:
            with torch.autocast(device, torch.bfloat16, precision == "bfloat16", cache_enabled=False):
                one()

        return step

    def minibatch(device: str, dtype: torch.dtype) -> tuple[nn.Module, Mapping[str, object]]:
        model = _model(end_to_end.models(quick)[name], device, dtype)
        return model, _moved(end_to_end.minibatch(quick, device), device, dtype)

    return Family(f"MME2E, {name}", f"step of {end_to_end.BATCH} utterances", training, minibatch)


def _model(make: Callable[[], nn.Module], device: str, dtype: torch.dtype) -> nn.Module:
    """Drawn on the CPU, so that every device has the same weights. Training mode, as cuDNN's backward pass needs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make()
    for module in model.modules():
        for rate in ("p", "dropout"):
            if isinstance(getattr(module, rate, None), float):
                setattr(module, rate, 0.0)
    return model.to(device, dtype).train()


def _moved(inputs: Mapping[str, object], device: str, dtype: torch.dtype) -> dict[str, object]:
    return {
        name: (x.to(device, dtype) if x.is_floating_point() else x.to(device)) if isinstance(x, Tensor) else x
        for name, x in inputs.items()
    }


def _on(examples: Examples, device: str) -> Examples:
    return Examples({m: x.to(device) for m, x in examples.inputs.items()}, examples.targets.to(device))


def _as(examples: Batches, dtype: torch.dtype) -> Examples:
    targets = examples.targets
    return Examples(
        {m: x.to(dtype) if x.is_floating_point() else x for m, x in examples.inputs.items()},
        targets.to(dtype) if targets.is_floating_point() else targets,
    )
