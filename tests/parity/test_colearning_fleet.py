"""Whole training runs of the reference, trained in a fleet."""

from dataclasses import replace

from lib.data.batches import Examples
from lib.training.fleet import train_fleet
from lib.training.recipe import Member
from lib.training.run import Outcome
from lib.training.streams import ReplayStreams, SeededStreams
from tests.parity.reference import golden
from tests.parity.test_colearning_training import check_whole_run, precisions


def in_company(member: Member, splits: dict[str, Examples], streams: ReplayStreams) -> Outcome:
    """The run between two others: one that learns fast, one that stops after an epoch."""
    fast = replace(member, variant="fast", recipe=replace(member.recipe, learning_rate=0.1))
    short = replace(member, variant="short", recipe=replace(member.recipe, epochs=1))
    return train_fleet([fast, member, short], splits, [SeededStreams(1), streams, SeededStreams(2)])[1]


@golden("colearning", "loop_mfn", "loop_bieflstm")
def test_whole_run_in_a_fleet(vectors):
    check_whole_run(vectors, in_company, precisions(vectors)[-1])
