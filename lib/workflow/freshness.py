"""Must a run be repeated? Decided by contents: a run is up to date if it succeeded, with exactly the inputs of now,
and its results are still what it wrote."""

from lib.errors import InputError
from lib.workflow import status
from lib.workflow.inputs import FileHashes, inputs, library
from lib.workflow.runs import Run


def why_stale(run: Run, hashes: FileHashes) -> str:
    """The reason to repeat a run, in words; empty if it is up to date."""
    recorded = status.read_status(run)
    if recorded is None:
        failure = status.read_failure(run)
        return f"last attempt: {failure.state}" if failure else "never run"
    try:
        now = inputs(run, hashes)
    except InputError as error:
        return f"unusable: {error}"
    before = recorded["inputs"]
    # What it loaded by names that are written nowhere.
    now |= library(name for name in before if name.startswith("lib/") and name not in now)
    for verb, names in (
        ("changed", [name for name in now if before.get(name, now[name]) != now[name]]),
        ("added", [name for name in now if name not in before]),
        ("removed", [name for name in before if name not in now]),
    ):
        if names:
            return f"{verb}: {_few(names)}"
    if missing := [name for name in recorded["outputs"] if not (run.folder / name).is_file()]:
        return f"output missing: {_few(missing)}"
    if altered := [n for n, digest in recorded["outputs"].items() if hashes.sha256(run.folder / n) != digest]:
        return f"output changed: {_few(altered)}"
    return ""


def _few(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(sorted(names)[:shown]) + more
