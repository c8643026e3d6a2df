"""An epoch of LMF and TFN at the size of MOSI, the direct implementation against the loop of all papers."""

import ctypes
from collections.abc import Callable, Iterator, Mapping

import torch

from benchmarks import direct_fusion
from benchmarks.cases import Case
from benchmarks.speed import NOT_MEASURED, Row, new_run, on_device
from benchmarks.timing import alternate, duration, threads, times_faster
from lib.data.batches import Examples
from lib.training.allocator import keep_freed_memory
from lib.training.loop import train_epoch
from lib.training.recipe import Member, ModelSpec, Recipe
from lib.training.strategies import ModalityDropout

WIDTHS = {"text": 300, "audio": 5, "video": 20}
STEPS = {"text": 20, "audio": 1, "video": 1}
DROPOUTS = {"audio": 0.5, "video": 0.5, "text": 0.5, "fusion": 0.3}


def model(name: str, hidden: tuple[int, int, int], **sizes: int) -> ModelSpec:
    modules = {"LMF": "low_rank:LMF", "TFN": "tensor_fusion:TFN"}
    hidden_sizes = dict(zip(("audio", "video", "text"), hidden, strict=True))
    common = {"input_sizes": WIDTHS, "hidden_sizes": hidden_sizes, "dropouts": DROPOUTS}
    return ModelSpec(modules[name], common | sizes)


def case(name: str, spec: ModelSpec, batch_size: int, samples: int = 1284) -> Case:
    recipe = Recipe(loss="l1_sum", epochs=3, batch_size=batch_size, learning_rate=0.001, drop_last=False)
    return Case(name, spec, recipe, samples=(samples, 8, 8))


CASES = {
    "LMF": case("LMF, batch 8 (setting of POM Sentiment)", model("LMF", (16, 16, 64), output_size=1, rank=4), 8),
    "TFN": case("TFN, complexity setting of the paper", model("TFN", (32, 32, 128), fusion_size=160), 32),
}
TINY = {
    "LMF": case("LMF, tiny", model("LMF", (2, 2, 4), output_size=1, rank=2), 8, 16),
    "TFN": case("TFN, tiny", model("TFN", (2, 2, 4), fusion_size=3), 8, 16),
}


def member(one: Case) -> Member:
    return Member("benchmark", 0, one.model, one.recipe, train_on=tuple(WIDTHS), evaluate_on=tuple(WIDTHS))


def corpus(one: Case) -> Mapping[str, Examples]:
    """Audio and video as one vector per sample, as in the scripts."""
    splits = on_device(one, "cpu")
    return {
        name: Examples({m: x[:, : STEPS[m]].contiguous() for m, x in split.inputs.items()}, split.targets)
        for name, split in splits.items()
    }


def usual_allocation() -> None:
    """glibc's default after a while: freed blocks of up to 32 MiB are kept, larger ones go back to the system."""
    if keep_freed_memory():
        set_option = ctypes.CDLL(None).mallopt
        for option, value in ((-4, 65536), (-3, 2**25), (-1, 2**26), (-2, 0)):
            set_option(option, value)


def fusion(quick: bool) -> Iterator[Row]:
    """(a) for LMF and TFN. Two columns show what the allocation of memory contributes to ours."""
    for name, one in (TINY if quick else CASES).items():
        splits = corpus(one)
        with threads(1):
            ours, theirs = loop_epoch(member(one), splits), direct_epoch(name, one, splits)
            programs = {
                "direct_s": with_allocation(usual_allocation, theirs),
                "loop_s": with_allocation(keep_freed_memory, ours),
                "loop, usual allocation_s": with_allocation(usual_allocation, ours),
                "direct, kept memory_s": with_allocation(keep_freed_memory, theirs),
            }
            found = alternate(programs, rounds=1 if quick else 5)
            adam = optimiser_seconds(one)
        keep_freed_memory()
        seconds = {program: timing.median for program, timing in found.items()}
        ratio = times_faster(found["direct_s"], found["loop_s"])
        yield {"model": one.name, "device": "cpu"} | seconds | ratio | {"optimiser's part of the loop_s": adam}
        yield {"model": one.name, "device": "cuda", "direct_s": NOT_MEASURED}


def with_allocation(choose: Callable[[], object], program: Callable[[], object]) -> Callable[[], object]:
    def chosen() -> None:
        choose()
        program()

    return chosen


def loop_epoch(member: Member, splits: Mapping[str, Examples]) -> Callable[[], object]:
    """One more training epoch of the loop at every call."""
    run, strategy = new_run(member, splits), ModalityDropout(None)
    ordered = splits["train"].take(run.start_epoch())
    return lambda: train_epoch(run, ordered, strategy)


def direct_epoch(name: str, one: Case, splits: Mapping[str, Examples]) -> Callable[[], object]:
    net = getattr(direct_fusion, name)(**one.model.arguments)
    optimiser = torch.optim.Adam(net.parameters(), lr=one.recipe.learning_rate)
    train = splits["train"]
    return lambda: direct_fusion.train_epoch(net, optimiser, train.inputs, train.targets, one.recipe.batch_size)


def optimiser_seconds(one: Case) -> float:
    """What the optimiser alone takes in an epoch of the loop: reading and writing weights, gradients and moments."""
    net = one.model.build()
    optimiser = one.recipe.optimiser(net)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    steps = -(-one.samples[0] // one.recipe.batch_size)
    return duration(lambda: [optimiser.step() for _ in range(steps)])
