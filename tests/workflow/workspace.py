"""A workspace in miniature: the real commands and workflow around two notebooks that take no time."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

REAL = Path(__file__).resolve().parents[2]
COPIED = (
    "run_all.sh",
    "Snakefile",
    "pyproject.toml",
    "lib/__init__.py",
    "lib/errors.py",
    "lib/data/io/features.py",
    "lib/data/io/yaml_files.py",
    "lib/files.py",
    "lib/model_file.py",
    "lib/source_closure.py",
    "lib/papers/__init__.py",
    "lib/papers/summary",
    "lib/params.py",
    "lib/reporting/__init__.py",
    "lib/reporting/caption.py",
    "lib/reporting/claims.py",
    "lib/reporting/result_folders.py",
    "lib/reporting/statistics.py",
    "lib/reporting/tables.py",
    "lib/reporting/two_sources.py",
    "lib/reporting/verdicts.py",
    "lib/metrics",
    "lib/workflow",
)

OWN_FILES = {
    "lib/papers/tiny/__init__.py": """
from typing import ClassVar

from lib.params import Parameters, Part


class Entry(Part):
    model: str


class Tiny(Parameters):
    dataset: str = "stand_in"
    number: int
    behaviour: str = "succeeds"
    vectors: str = ""
    model: str = ""
    models: tuple[Entry, ...] = ()

    def further_files(self):
        return (self.vectors,) if self.vectors else ()


class Last(Tiny):
    reads_results: ClassVar[bool] = True


NOTEBOOKS = {"alpha": Tiny, "beta": Tiny, "a_summary": Last}
""",
    "lib/data/__init__.py": """
import os
from pathlib import Path


def data_root(given=None):
    return Path(given or os.environ.get("REPRISE_DATA") or Path(__file__).resolve().parents[2] / "data")


def files(name, root):
    return [root / name / "numbers.txt"] if name != "stand_in" else []


def reader_module(name):
    return "lib.data.reader" if name != "stand_in" else "lib.data.stand_in"
""",
    "lib/data/corpora.py": """
from lib.errors import InputError

CORPORA = {}


def get(name):
    raise InputError(f"unknown corpus {name!r}")
""",
    "lib/data/reader.py": "from lib.data.parsing import parse\n",
    "lib/data/parsing.py": "parse = int\n",
    "lib/data/stand_in.py": "import random\n",
    "lib/reporting/published.py": 'VERDICT_RULE = "a rule"\n',
    "lib/squares.py": "from lib.powers import power\n\n\ndef square(x):\n    return power(x, 2)\n",
    "lib/powers.py": "def power(x, n):\n    return x**n\n",
    "lib/powers.csv": "base,exponent\n",
    "lib/by_name.py": "from lib.by_name_too import one\n",
    "lib/by_name_too.py": "one = 1\n",
    "lib/halves.py": "def half(x):\n    return x / 2\n",
    "data/primes/numbers.txt": "2 3 5 7\n",
}

PARAMETERS_CELL = """
number = 0
behaviour = "succeeds"
dataset = "stand_in"
model = ""
models = []
results = ""
data_root = ""
cores = 1
"""
BEHAVIOUR_CELL = """
# What the parameter asks for.
import os, sys, time
from pathlib import Path

folder = Path(results)
for named in [model] * bool(model) + [entry["model"] for entry in models]:
    exec(Path(named.partition(":")[0]).read_text())
if behaviour == "raises":
    raise ValueError("the number is odd")
if behaviour == "is killed":
    os.kill(os.getpid(), 9)
if behaviour == "refuses input":
    from lib.errors import InputError
    raise InputError("the file is cut short", where="numbers.txt", todo="fetch it again")
if behaviour == "diverges":
    from lib.errors import Diverged
    raise Diverged("all 3 trainings diverged", where="alpha/quick", todo="try a smaller learning rate")
if behaviour == "leaves early":
    sys.exit(0)
if behaviour == "waits":
    import subprocess
    worker = subprocess.Popen(["sleep", "600"])
    (folder / "members").mkdir(exist_ok=True)
    (folder / "members" / "processes").write_text(f"{os.getpid()} {worker.pid}")
    time.sleep(600)
if behaviour == "leaves a child":
    import subprocess
    child = subprocess.Popen(["sleep", "600"])
    (folder / "members").mkdir(exist_ok=True)
    (folder / "members" / "child").write_text(str(child.pid))
if behaviour == "looks around":
    import json
    from ipykernel.connect import get_connection_file
    transport = json.loads(Path(get_connection_file()).read_text())["transport"]
    print(json.dumps({"python": sys.executable, "transport": transport, "cwd": os.getcwd(), "cores": cores}))
"""
RESULTS_CELL = """
import json

(folder / "tables").mkdir(exist_ok=True)
(folder / "tables" / "result.csv").write_text(f"result\\n{result}\\n")
if behaviour == "writes an empty table":
    (folder / "tables" / "empty.csv").touch()
(folder / "manifest.json").write_text(json.dumps({"number": number}))
"""
NOTEBOOKS = {
    "alpha": """
import importlib

from lib.squares import square

result = square(number) * importlib.import_module("lib.by" + "_name").one
""",
    "beta": "%matplotlib inline\nimport lib.halves as halves\n\nresult = halves.half(number)",
}


@dataclass
class Finished:
    """A command that has ended."""

    code: int
    out: str
    err: str

    def state(self, run: str) -> str:
        """A run's state in the closing table: `ran`, `up to date`, `FAILED` or `NOT RUN`."""
        table = re.split(r"^run +state .*$", self.out, flags=re.MULTILINE)[-1]
        (state,) = re.findall(rf"^{run} +(\w+( \w+)*)  ", table, flags=re.MULTILINE)
        return state[0]


class Workspace:
    """The miniature in `root`, with the runs alpha/quick and beta/quick."""

    def __init__(self, root: Path):
        self.root = root
        self._started: list[subprocess.Popen] = []

    @classmethod
    def make(cls, root: Path) -> "Workspace":
        for name in COPIED:
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (REAL / name).is_dir():
                shutil.copytree(REAL / name, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(REAL / name, target)
        workspace = cls(root)
        for name, text in OWN_FILES.items():
            workspace.write(name, text.lstrip("\n"))
        for name, cell in NOTEBOOKS.items():
            workspace.write_notebook(name, cell)
            workspace.parameters(f"{name}/quick", number=3)
        return workspace

    def copy(self, root: Path) -> "Workspace":
        """Another workspace with the same files, times and results."""
        shutil.copytree(self.root, root, symlinks=True)
        return Workspace(root)

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")

    def write_notebook(self, name: str, computing: str, markdown: str = "# A story") -> None:
        code, tagged = nbformat.v4.new_code_cell, {"tags": ["parameters"]}
        cells = [
            nbformat.v4.new_markdown_cell(markdown),
            code(PARAMETERS_CELL.strip(), metadata=tagged),
            code(computing),
            code(BEHAVIOUR_CELL.strip()),
            code(RESULTS_CELL.strip()),
        ]
        for position, cell in enumerate(cells):
            cell["id"] = f"cell-{position}"
        # The kernel's name is of another machine: only its language may count.
        metadata = {"kernelspec": {"name": "somebody-elses", "language": "python", "display_name": "x"}}
        (self.root / "notebooks").mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), self.root / f"notebooks/{name}.ipynb")

    def parameters(self, run: str, **values: object) -> None:
        self.write(f"params/{run}.yaml", yaml.safe_dump(values))

    def path(self, run: str, name: str = "") -> Path:
        return self.root / "results" / run / name

    def record(self, run: str, name: str = "status.json") -> dict:
        return json.loads(self.path(run, name).read_text())

    def popen(self, command: list, cwd: Path | None = None, **variables: str) -> subprocess.Popen:
        """Start a command as the leader of a process group."""
        process = subprocess.Popen(
            command,
            cwd=cwd or self.root,
            env=environment() | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Kill what a failed test has left running."""
        for process in self._started:
            if process.poll() is None:
                kill_group(process)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen:
        return self.popen([self.root / "run_all.sh", *arguments], **variables)

    def run_all(self, *arguments: str, **variables: str) -> Finished:
        return finish(self.start(*arguments, **variables))

    def start_runner(self, run: str, *options: str, **variables: str) -> subprocess.Popen:
        """One run without Snakemake."""
        command = [sys.executable, "-P", "-m", "lib.workflow.runner", *run.split("/"), *options]
        return self.popen(command, PYTHONPATH=str(self.root), **variables)

    def runner(self, run: str, *options: str, **variables: str) -> Finished:
        return finish(self.start_runner(run, *options, **variables))

    def processes(self, run: str) -> list[int]:
        """The kernel and its worker, once the notebook that waits has written them down."""
        note = self.path(run, "members/processes")
        wait_until(lambda: note.exists() and len(note.read_text().split()) == 2, f"{run} waits")
        return [int(pid) for pid in note.read_text().split()]


def environment() -> dict[str, str]:
    """The caller's environment with this Python first on the PATH, and without its data and settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REPRISE_", "PYTEST_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"PATH": path, "PYTHONPATH": ""}


def finish(process: subprocess.Popen, timeout: float = 300) -> Finished:
    out, err = process.communicate(timeout=timeout)
    return Finished(process.returncode, out, err)


def kill_group(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)


def wait_until(holds: Callable[[], bool], what: str, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"
