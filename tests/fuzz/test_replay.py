"""What the fuzzer found, and a short seeded stretch of mutation without it."""

import csv
import random

import pytest

from tests.fuzz.fuzz import COLUMNS, FOUND, LOG
from tests.fuzz.targets import TARGETS, opened

TRIES = 40


@pytest.mark.parametrize("path", sorted(FOUND.glob("*-*")), ids=lambda path: path.name)
def test_what_was_found_is_mended(path):
    with opened(path.name.rpartition("-")[0]) as target:
        target.feed(path.read_bytes())


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", TARGETS)
def test_mutations_are_refused_in_one_line_or_sound(name, monkeypatch):
    monkeypatch.setenv("REPRISE_CACHE", "")  # restored afterwards
    random_numbers = random.Random(name)
    with opened(name) as target:
        seeds = sorted(target.seeds(2**14), key=len)[:200]
        assert target.feed(target.sound)
        refused = sum(not target.feed(mutated(random_numbers, seeds, target.sound)) for _ in range(TRIES))
    assert refused >= 1


def mutated(numbers: random.Random, seeds: list[bytes], sound: bytes) -> bytes:
    """One of the seeds with a few bytes changed, a piece of another in it, or a piece of it left out or repeated."""
    content = bytearray(numbers.choice([*seeds, sound, sound]))
    for _ in range(numbers.randint(1, 4)):
        place = numbers.randrange(len(content) + 1)
        piece = numbers.choice(seeds)
        start = numbers.randrange(len(piece) + 1)
        match numbers.randrange(4):
            case 0:
                content[place : place + 1] = bytes([numbers.randrange(256)])
            case 1:
                content[place:place] = piece[start : start + 16]
            case 2:
                del content[place : place + numbers.randint(1, 16)]
            case 3:
                content[place:place] = content[place : place + numbers.randint(1, 64)]
    return bytes(content)


def test_the_log_tells_of_every_target():
    with LOG.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert tuple(rows[0]) == COLUMNS
    assert {row["target"] for row in rows} == set(TARGETS)
    assert all(int(row["executions"]) > 100 and int(row["lines"]) > 0 for row in rows)
