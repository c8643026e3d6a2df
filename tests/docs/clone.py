"""A copy of the workspace, as a clone would be, and commands in it as a reader types them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "lib",
    "params",
    "notebooks",
    "tests",
    "Snakefile",
    "run_all.sh",
    "pyproject.toml",
    "requirements.lock",
    "README.md",
)


def workspace_copy(root: Path) -> Path:
    """All that runs and tests need, without results."""
    root.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, root / name)
    return root


def run(commands: str, root: Path) -> str:
    """What shell commands print at the top of `root`; they have to succeed."""
    # What our own processes are started with is not in the reader's shell.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("REPRISE_", "PYTEST_", "PYTHON"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    variables = kept | {"PATH": path, "VIRTUAL_ENV": sys.prefix}
    done = subprocess.run(
        ["bash", "-e", "-c", commands], cwd=root, env=variables, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, commands + done.stdout + done.stderr
    return done.stdout
