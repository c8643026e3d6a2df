"""Provenance of a result folder: what ran, on which data and code, where, and what chose its numbers.

Everything that may differ between two runs that did the same stands under `volatile`. No path of the machine,
host name or user name is written: what is not stored cannot leak, and absolute paths inside parameters are
cut down to their last part.
"""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from threadpoolctl import threadpool_info

from lib.data.corpus import Source
from lib.files import write_json

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "h5py",
    "matplotlib",
    "pydantic",
    "papermill",
    "snakemake",
)
LISTED = 40
"""Files of a folder that are named one by one; a corpus of single recordings has thousands."""
_WORKSPACE = Path(__file__).parents[2]
_ABSOLUTE = re.compile(r"(?<![\w.:/~\\])(?:~|[A-Za-z]:)?(?:[/\\][^\s/\\'\",;:]+)+[/\\]?")


def write_manifest(folder: Path, **facts: object) -> None:
    """Write `manifest.json` into a result folder; arguments as in `manifest`."""
    write_json(Path(folder) / "manifest.json", manifest(**facts))


def manifest(
    *,
    params: Mapping[str, object],
    sources: Iterable[Source],
    seeds: Iterable[int],
    engine: str,
    device: str,
    selected_on: Mapping[str, str],
    durations: Mapping[str, float],
    modalities: Iterable[str] = (),
) -> dict[str, object]:
    """The manifest as plain JSON values.

    `params` are the checked parameters of the run, `engine` says how its members were executed, `device` is a
    torch device ("cpu", "cuda:0"), `selected_on` says which split chose what (`{"epoch": "valid",
    "hyper-parameters": "test, by the authors"}`), `durations` are seconds by stage, `modalities` are those that
    anything was trained on. The commit is null outside a git checkout; changes under `results/` do not make it dirty,
    since every run writes there.
    """
    return {
        "run": {
            "params": portable(dict(params)),
            "seeds": list(seeds),
            "engine": engine,
            "modalities": list(modalities),
            "selected_on": dict(selected_on),
        },
        "data": [
            {"label": source.label, **portable(asdict(source)), "files": portable(_by_folder(source.files))}
            for source in sources
        ],
        "code": git_state(_WORKSPACE),
        "environment": {
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "processor": processor(),
            "arithmetic": arithmetic(),
            "device": device_name(device),
            "threads": torch.get_num_threads(),
            "packages": {name: _version(name) for name in PACKAGES},
        },
        "volatile": {
            "durations": {name: round(float(seconds), 3) for name, seconds in durations.items()},
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    }


def _by_folder(files: Mapping[str, str]) -> dict[str, str]:
    """SHA-256 by path. Of a folder with many files one, of the list of their hashes that `sha256sum *` prints in it."""
    folders: dict[str, dict[str, str]] = {}
    for path, sha256 in files.items():
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {})[name] = sha256
    found = {}
    for folder, held in folders.items():
        within = f"{folder}/" if folder else ""
        if len(held) <= LISTED:
            found |= {f"{within}{name}": sha256 for name, sha256 in held.items()}
        else:
            listed = "".join(f"{held[name]}  {name}\n" for name in sorted(held))
            found[f"{within}* ({len(held)} files)"] = hashlib.sha256(listed.encode()).hexdigest()
    return found


def git_state(workspace: Path) -> dict[str, object]:
    """`commit` and `dirty` (tracked or new files changed outside `results/`); both None without git or a
    commit, with a `note` where git refuses the checkout because it belongs to another user.
    """
    commit = _git(workspace, "rev-parse", "--verify", "HEAD")
    changes = _git(workspace, "status", "--porcelain", "--untracked-files=normal", "--", ".", ":(exclude)results")
    if commit is None or changes is None:
        return {"commit": None, "dirty": None, **_refused(workspace)}
    return {"commit": commit.strip(), "dirty": bool(changes.strip())}


def _refused(workspace: Path) -> dict[str, str]:
    done = _run_git(workspace, "rev-parse", "--git-dir")
    if done is None or "dubious ownership" not in done.stderr:
        return {}
    todo = "git config --global --add safe.directory and the folder"
    return {"note": f"git refuses, as the checkout belongs to another user; to have the commit here: {todo}"}


def processor() -> str:
    """The CPU model as the system names it, else the architecture."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def arithmetic() -> dict[str, object]:
    """What rounds: the instruction set that torch uses, what it multiplies with, and the other libraries loaded.

    Two machines whose last digits differ differ here, or in `processor`.
    """
    built = re.findall(r"(Math Kernel Library|MKL-DNN)\D*([\w.]+)", torch.__config__.show())
    loaded = {
        f"{library['prefix']} {library['version'] or ''}".strip() + f", {library.get('architecture', 'any')} processor"
        for library in threadpool_info()
    }
    return {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "torch": [f"{name} {number}" for name, number in built],
        "libraries": sorted(loaded),
    }


def device_name(device: str) -> str:
    """`cpu`, or the name of the accelerator behind a torch device."""
    kind = torch.device(device)
    return torch.cuda.get_device_name(kind) if kind.type == "cuda" else kind.type


def _git(workspace: Path, *arguments: str) -> str | None:
    """What a git command prints; None where git, the checkout or a commit is missing."""
    done = _run_git(workspace, *arguments)
    return done.stdout if done is not None and done.returncode == 0 else None


def _run_git(workspace: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    # A reader must not block a commit; messages are in English.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", *arguments], cwd=workspace, env=environment, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def portable(value: object) -> object:
    """Plain JSON values; of an absolute path inside a string only the last part stays, of the home folder
    `~`.
    """
    if isinstance(value, Mapping):
        return {str(key): portable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [portable(item) for item in value]
    if isinstance(value, (str, Path)):
        home = os.path.expanduser("~")  # noqa: PTH111  Path.home() raises where there is none
        text = str(value).replace(home, "~") if Path(home).name not in ("", "~") else str(value)
        return _ABSOLUTE.sub(lambda found: re.split(r"[/\\]", found[0].rstrip("/\\"))[-1], text)
    return value


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
