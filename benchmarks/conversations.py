"""Conversation backbones with SPCL at the scale of IEMOCAP, against a direct implementation; their peak memory."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import conversation_direct as direct
from benchmarks.machine import matmul_rate
from benchmarks.resources import resident_peak, told
from benchmarks.speed import DEVICES, NOT_MEASURED, Row, new_run, there
from benchmarks.timing import alternate, threads, times_faster
from lib.data.batches import Conversations
from lib.data.corpus import Corpus, Source
from lib.data.dialogues.conversation_batches import Dialogue, conversation_split
from lib.data.dialogues.stored_dialogues import IEMOCAP
from lib.papers import load
from lib.papers.self_paced_balance import SelfPacedBalance
from lib.papers.self_paced_balance import study as self_paced
from lib.training.loop import train_epoch
from lib.training.recipe import Member
from lib.training.strategies import ModalityDropout

ROOT = Path(__file__).resolve().parents[1]
DIALOGUES, UTTERANCES, LONGEST = 108, 5230, 110
"""Training dialogues of IEMOCAP, their utterances (about) and the longest (spec self_paced_balance, 1.2)."""
BACKBONES = ("biddin", "dialogue_gcn", "mm_dfn", "mmgcn")


def parameters(quick: bool) -> SelfPacedBalance:
    """The published sizes; those of the features small in the quick mode."""
    p = load(ROOT / "params" / "self_paced_balance" / "iemocap.yaml", results="-")
    return p.model_copy(update={"widths": {"audio": 24, "text": 32, "video": 48}}) if quick else p


def lengths(dialogues: int) -> list[int]:
    """The first `dialogues` of 108 lengths from 8 to 110 with IEMOCAP's mean, in a fixed random order."""
    drawn = np.random.default_rng(0).gamma(5.0, 1.0, DIALOGUES)
    drawn = np.clip(np.rint(drawn * UTTERANCES / drawn.sum()), 8, LONGEST).astype(int)
    drawn[0], drawn[1] = LONGEST, 8
    return np.random.default_rng(1).permutation(drawn)[:dialogues].tolist()


def corpus(counts: Sequence[int], widths: Mapping[str, int]) -> Corpus:
    """Standard normal features and random labels; the time that training takes does not depend on them."""
    rng = np.random.default_rng(0)
    dialogues = [
        Dialogue(
            str(place),
            rng.integers(IEMOCAP.speakers, size=n),
            rng.integers(len(IEMOCAP.label_names), size=n),
            {m: rng.normal(size=(n, width)).astype(np.float32) for m, width in widths.items()},
        )
        for place, n in enumerate(counts)
    ]
    splits = {"train": conversation_split(dialogues)} | {
        name: conversation_split(dialogues[:1]) for name in ("valid", "test")
    }
    return Corpus("classes", IEMOCAP.label_names, widths, splits, Source("IEMOCAP's shape", True, {}, "none", "random"))


def our_epoch(member: Member, train: Conversations):
    """The minibatches of an epoch by the plain loop, at every call."""
    run, strategy = new_run(member, {"train": train}), ModalityDropout(None)

    def one() -> None:
        run.streams.start_epoch(0)
        train_epoch(run, train, strategy)

    return one


def direct_epoch(member: Member, train: Conversations):
    """The same minibatches by the direct implementation."""
    model = direct_model(member).to(train.targets.device).train()
    optimiser = torch.optim.Adam(
        model.parameters(), lr=member.recipe.learning_rate, weight_decay=member.recipe.weight_decay
    )
    size, threshold = member.recipe.batch_size, member.recipe.curriculum.threshold

    def one() -> None:
        for start in range(0, len(train), size):
            batch = train.take(slice(start, start + size))
            counts = batch.lengths.tolist()
            optimiser.zero_grad()
            joint, logits = model(batch.features, counts, batch.speakers)
            loss, _ = direct.objective(joint, logits, batch.targets, counts, threshold)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), member.recipe.clip_norm)
            optimiser.step()
            loss.item()

    return one


def direct_model(member: Member) -> nn.Module:
    """The direct model with the weights that our model of this member starts with."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours = member.model.build()
    model = direct.MODELS[member.model.name](**member.model.arguments)
    model.load_state_dict(ours.state_dict())
    return model


def disagreement(member: Member, train: Conversations) -> float:
    """The largest difference of joint logits and of the loss between the two, without dropout, on the first minibatch.

    Raises AssertionError beyond 1e-4: then the two do not compute the same and their times say nothing.
    """
    batch = train.take(slice(0, member.recipe.batch_size))
    counts = batch.lengths.tolist()
    theirs = direct_model(member).to(batch.targets.device).eval()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ours = member.model.build().to(batch.targets.device).eval()
    run = new_run(member, {"train": train})
    with torch.no_grad():
        joint, logits = ours(**batch.inputs)
        other, other_logits = theirs(batch.features, counts, batch.speakers)
        loss = run.objective.loss((joint, logits), batch)
        other_loss, _ = direct.objective(other, other_logits, batch.targets, counts, member.recipe.curriculum.threshold)
    found = max(_furthest(joint, other), _furthest(loss, other_loss))
    if not found < 1e-4:
        raise AssertionError(f"{member.variant}: the direct implementation differs by {found}")
    return found


def _furthest(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


def operations(member: Member, train: Conversations) -> int:
    """Floating-point operations of the matrix products of these minibatches, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        our_epoch(member, train)()
    return counter.get_total_flops()


def conversations(quick: bool) -> Iterator[Row]:
    """(g) Training minibatches of each backbone with SPCL, the direct implementation against the plain loop.

    Part of an epoch: two of its seven minibatches of 16 dialogues, since the direct BiDDIN needs minutes for all. On
    the CPU one thread. The share is that of a large product measured in the same process.
    """
    p = parameters(quick)
    whole = corpus([n // 10 + 1 for n in lengths(4)] if quick else lengths(32), p.widths)
    for device in DEVICES:
        for backbone in BACKBONES:
            row = {"model": self_paced.TITLES[backbone], "device": device}
            if not there(device):
                yield row | {"direct_s": NOT_MEASURED}
                continue
            member = self_paced.member(p, whole, 12, backbone, "atv", spcl=True)
            train = whole.batches("train", device=device)
            with threads(1):
                rate = matmul_rate(device)
                furthest = disagreement(member, train)
                cases = {"direct": direct_epoch(member, train), "loop": our_epoch(member, train)}
                found = alternate(cases, rounds=1 if quick else 2, warm_up=device != "cpu")
                work = operations(member, train)
            loop = found["loop"].median
            yield row | {
                "dialogues": len(train),
                "utterances": len(train.targets),
                "direct_s": found["direct"].median,
                "loop_s": loop,
                **times_faster(found["direct"], found["loop"]),
                "share of the matmul rate": work / loop / rate,
                "largest difference": furthest,
            }


def conversation_memory(quick: bool) -> Iterator[Row]:
    """(g) Peak resident memory of a process that trains one minibatch of 64 dialogues of 110 utterances."""
    for backbone in BACKBONES:
        peak_gib = float(told("-m", "benchmarks.conversations", backbone, "quick" if quick else "full"))
        size = {"dialogues": 4 if quick else 64, "utterances each": 11 if quick else LONGEST}
        yield {"model": self_paced.TITLES[backbone]} | size | {"peak_GiB": peak_gib}


def peak(backbone: str, quick: bool) -> float:
    """Train the minibatch in this process and tell its peak memory in GiB."""
    torch.set_num_threads(1)
    p = parameters(quick).model_copy(update={"batch_size": 64})
    whole = corpus([11] * 4 if quick else [LONGEST] * 64, p.widths)
    member = self_paced.member(p, whole, 12, backbone, "atv", spcl=True)
    our_epoch(member, whole.batches("train"))()
    return resident_peak() / 2**20


if __name__ == "__main__":
    print(peak(sys.argv[1], sys.argv[2] == "quick"))
