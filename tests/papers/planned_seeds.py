"""Trainings whose answers differ so little from seed to seed that a plan asks for some more than its pilot."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.reporting import seed_plan
from lib.study import Runs
from lib.training import execution, loop
from lib.training.recipe import Member
from lib.training.run import Outcome


class Trained(list):
    """Variant and seed of each training that ended; with `stop_at`, the training after so many is interrupted."""

    stop_at: int | None = None


def answering(
    monkeypatch,
    networks: dict[str, Outcome],
    answers: Callable[[Member, np.random.Generator], np.ndarray],
) -> Trained:
    """Let each training, one by one, have the raw test outputs `answers`, which may draw from what is its own.

    `networks` keeps what was really trained, so that nothing is twice.
    """
    done = Trained()

    def train(member: Member, *args, **options) -> Outcome:
        if len(done) == done.stop_at:
            done.stop_at = None
            raise KeyboardInterrupt
        done.append((member.variant, member.seed))
        key = repr(member)
        if key not in networks:
            networks[key] = loop.train(member, *args, **options)
        trained = networks[key]
        test = answers(member, np.random.default_rng([member.seed, *member.variant.encode()]))
        test = torch.as_tensor(test, dtype=trained.outputs["test"].dtype)
        return replace(trained, outputs=trained.outputs | {"test": test})

    monkeypatch.setattr(execution, "train", train)
    monkeypatch.setattr("lib.training.engine.pays_on_cpu", lambda member: False)
    return done


def check_goes_on(train: Callable[[str], Runs], trained: Trained, number: int, every: Callable) -> None:
    """A study that is interrupted after so many trainings plans, in the end, as one that was not, and trains nothing
    twice. `train` trains it in a folder of this name, `every` says what that trains with the seeds that were planned.
    """
    whole = train("whole")
    trained.clear()
    trained.stop_at = number
    with pytest.raises(KeyboardInterrupt):
        train("again")
    again = train("again")
    assert again.study.p.seeds == whole.study.p.seeds
    assert seed_plan.table(again).equals(seed_plan.table(whole))
    assert sorted(trained) == every(whole.study.p.seeds), "nothing twice"
