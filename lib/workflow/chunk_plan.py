"""Into how many chunks to cut a run: as asked for, or so that a chunk takes about `AIM_S` by what trainings took.

Memory does not enter: on a GPU a fleet is cut to what the device holds when it starts, on a CPU a job trains as many
members at once as it has cores, whatever the size of its chunk.
"""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Literal

from lib.errors import InputError
from lib.workflow.chunks import all_records
from lib.workflow.inputs import parameters
from lib.workflow.runs import Run, known_runs
from lib.workflow.usage import MOST_CHUNKS

AIM_S = 1200.0
"""Long beside what a job costs before it trains (docs/scale.md), short beside a night that a dead node would cost."""

MEMBERS_IF_UNKNOWN = 10
"""Of a notebook that has trained nothing here yet: a full fleet on a CPU core."""


def chunk_counts(runs: Sequence[Run], wanted: int | Literal["auto"] | None) -> dict[Run, int]:
    """By run; not there are runs that need no chunks or whose notebook has no grid to cut."""
    if wanted is None:
        return {}
    # It loads models and readers: not for those who want no chunks.
    from lib.papers.grids import GRIDS

    counts = {run: _automatic(run) if wanted == "auto" else wanted for run in runs if run.notebook in GRIDS}
    return {run: count for run, count in counts.items() if count > 1}


def _automatic(run: Run) -> int:
    from lib.papers.grids import grids

    try:
        members = sum(len(members) for _, members in grids(run.notebook, parameters(run)))
    except InputError:
        return 1  # The run itself will say what is wrong.
    return count(members, seconds_per_member(run))


def count(members: int, seconds: float | None) -> int:
    """Chunks for a grid whose members take `seconds` each, None if that is not known."""
    per_chunk = MEMBERS_IF_UNKNOWN if seconds is None else max(1, int(AIM_S / max(seconds, 1e-9)))
    return min(MOST_CHUNKS, max(1, ceil(members / per_chunk)))


def seconds_per_member(run: Run) -> float | None:
    """As measured in chunks of this run, else of its notebook's other runs; None if none has trained anything."""
    others = [other for other in known_runs() if other.notebook == run.notebook and other != run]
    return _mean([run]) or _mean(others)


def _mean(runs: Iterable[Run]) -> float | None:
    records = [record for run in runs for record in all_records(run)]
    trained = [(r["seconds"] - r["seconds_loading"], r["trained"]) for r in records if r["trained"]]
    return sum(seconds for seconds, _ in trained) / sum(members for _, members in trained) if trained else None
