"""Peak memory of each model beside that of a direct implementation, each in a process of its own."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from benchmarks import conversations, eea, fusion, speed, transformers
from benchmarks.cases import EFLSTM, PAPER_BIEFLSTM, PAPER_MFN, TINY_MFN
from benchmarks.direct_eea import DirectEEATraining
from benchmarks.resources import resident_peak, told
from benchmarks.speed import Row
from lib.papers.self_paced_balance import study as self_paced

Epoch = Callable[[], object]
WAYS = ("direct", "loop")
SEQUENCES = {case.name: case for case in (PAPER_MFN, PAPER_BIEFLSTM, EFLSTM)}
EEA = "EEA, README"
NAMES = (*SEQUENCES, *fusion.CASES, EEA, *transformers.MODELS, *conversations.BACKBONES)
ONE_MINIBATCH = 16
"""Dialogues."""


def peaks(quick: bool) -> Iterator[Row]:
    """Of an epoch of each model at its published size, of a step of the transformers, and of one minibatch of 16
    dialogues: the process's peak, and what of it came after everything was prepared."""
    pairs = [(name, way) for name in NAMES for way in WAYS]
    told = _apart(pairs, True) if quick else [_apart([pair], False)[0] for pair in pairs]
    peaks_of = dict(zip(pairs, told, strict=True))
    for name in NAMES:
        found = {way: peaks_of[name, way] for way in WAYS}
        row: Row = {"model": self_paced.TITLES.get(name, name)}
        row |= {f"{way}_peak_MiB": whole for way, (whole, _) in found.items()}
        row |= {f"{way}_more_MiB": more for way, (_, more) in found.items()}
        yield row | {"loop / direct": found["loop"][0] / found["direct"][0]}


def _apart(pairs: Sequence[tuple[str, str]], quick: bool) -> list[tuple[float, float]]:
    """`peak` of these names and ways in one new process, which in the quick mode only shows that all of them run."""
    return json.loads(told("-m", "benchmarks.peaks", json.dumps(pairs), "quick" if quick else "full"))


def peak(name: str, way: str, quick: bool) -> tuple[float, float]:
    """MiB of this process at the most, and above what it held before the epoch."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    epoch = prepared(name, way, quick)
    before = resident_peak()
    epoch()
    return resident_peak() / 2**10, (resident_peak() - before) / 2**10


def prepared(name: str, way: str, quick: bool) -> Epoch:
    """What trains an epoch of the model, directly or by the loop (of transformers, `lib.models` in a plain step)."""
    if name in SEQUENCES:
        case = TINY_MFN if quick else SEQUENCES[name]
        member = case.members(1)[0]
        if way == "direct":
            return speed.direct_epoch(member, case, "cpu")
        return speed.loop_epoch(member, speed.on_device(case, "cpu"))
    if name in fusion.CASES:
        case = (fusion.TINY if quick else fusion.CASES)[name]
        splits = fusion.corpus(case)
        if way == "direct":
            return fusion.direct_epoch(name, case, splits)
        return fusion.loop_epoch(fusion.member(case), splits)
    if name == EEA:
        return _emotion_embeddings(way, quick)
    if name in transformers.MODELS:
        return transformers.step(name, {"direct": "whole", "loop": "ours"}[way], *transformers.MODELS[name](quick))
    return _dialogues(name, way, quick)


def _emotion_embeddings(way: str, quick: bool) -> Epoch:
    member, splits = eea.member(dropout=0.15), eea.random_splits(eea.QUICK_SAMPLES if quick else eea.SAMPLES, "cpu")
    if way == "loop":
        return speed.loop_epoch(member, splits)
    order = np.random.default_rng(0).permutation(len(splits["train"]))
    weights = member.model.build().state_dict()
    return DirectEEATraining(member.model.arguments, member.recipe, splits, order, weights).epoch


def _dialogues(backbone: str, way: str, quick: bool) -> Epoch:
    p = conversations.parameters(quick)
    counts = [n // 10 + 1 for n in conversations.lengths(4)] if quick else conversations.lengths(ONE_MINIBATCH)
    whole = conversations.corpus(counts, p.widths)
    member = self_paced.member(p, whole, 12, backbone, "atv", spcl=True)
    make = conversations.direct_epoch if way == "direct" else conversations.our_epoch
    return make(member, whole.batches("train"))


if __name__ == "__main__":
    print(json.dumps([peak(name, way, sys.argv[2] == "quick") for name, way in json.loads(sys.argv[1])]))
