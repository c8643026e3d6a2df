"""Which members are stacked."""

from dataclasses import replace

import pytest

from lib.training.engine import LANES, ON_CPU, even_parts, jobs, pays_on_cpu
from lib.training.recipe import Member
from tests.training.small import MFN, member

SMALL_MFN = replace(member(batch_size=LANES), model=MFN)


def many(one: Member, count: int) -> list[Member]:
    return [replace(one, variant=f"variant {i}", seed=i) for i in range(count)]


@pytest.mark.parametrize(
    ("changed", "pays"),
    [
        ({}, True),
        ({"model": replace(MFN, arguments={**MFN.arguments, "memory": 2**16})}, False),  # arithmetic weighs
        ({"model": member().model}, False),  # torch's own layers
        ({"recipe": replace(SMALL_MFN.recipe, batch_size=LANES + 8)}, False),  # not the plain loop's bits
        ({"recipe": replace(SMALL_MFN.recipe, drop_last=False)}, False),
        ({"recipe": replace(SMALL_MFN.recipe, precision="bfloat16")}, False),
    ],
)
def test_on_a_cpu_only_small_models_that_step_in_python_are_stacked(changed, pays):
    assert pays_on_cpu(replace(SMALL_MFN, **changed)) is pays


def test_a_chain_stays_together_in_order_on_any_device():
    chain = [replace(m, chain="seed 0") for m in many(SMALL_MFN, 3)]
    for device in ("cpu", "cuda"):
        (job,) = jobs(chain, device)
        assert job.members == tuple(chain)
        assert not job.stacked


def test_a_gpu_gets_one_fleet_per_architecture():
    found = jobs([*many(SMALL_MFN, 15), *many(member(), 3)], "cuda")
    assert [(len(job.members), job.stacked) for job in found] == [(15, True), (3, True)]


@pytest.mark.parametrize(("count", "cores"), [(1, 1), (2, 2), (7, 2), (20, 2), (40, 2), (41, 2), (5, 8), (100, 3)])
def test_fleets_on_a_cpu_are_even_and_as_many_as_the_cores_or_a_multiple(count, cores):
    members = many(SMALL_MFN, count)
    found = jobs(members, "cpu", cores)
    sizes = [len(job.members) for job in found]
    assert sum(sizes) == count
    assert {m.seed for job in found for m in job.members} == set(range(count))
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= ON_CPU
    assert len(found) == even_parts(count, cores)
    assert len(found) % cores == 0 or len(found) == count
    assert all(job.stacked == (len(job.members) > 1) for job in found)


def test_other_members_stay_alone_on_a_cpu():
    found = jobs(many(member(), 4), "cpu", cores=2)
    assert [(len(job.members), job.stacked) for job in found] == [(1, False)] * 4
