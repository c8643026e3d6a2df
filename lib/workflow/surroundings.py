"""What our processes take from the user's surroundings: decided here for all of them. Standard library only.

Taken: what says where things are and what the machine may be used for (PATH, the data folder, proxies, certificates,
git's and Snakemake's settings where they are asked for), how many threads the numerical libraries use (OMP_, MKL_ and
OPENBLAS_NUM_THREADS), with which instructions (ATEN_CPU_CAPABILITY, MKL_CBWR, ...), and which GPUs there are.

Left out: every setting of a program or library that we run that could change a result or stop a run; those that come by
files are kept away by giving these programs folders below `.reprise/`, where their caches go, too. So a home is needed
by nothing.
"""

import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path

from lib.workflow.runs import ROOT

HOME = ROOT / ".reprise" / "home"
LAUNCH = Path(__file__).with_name("launch.py")
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

FAMILIES = (
    # how Python starts, and what it finds
    "PYTHON",
    # notebooks: JPY_ tells a kernel which JupyterLab it belongs to, which a batch run's does not
    *("JUPYTER", "JPY_", "IPYTHON", "PAPERMILL_", "MPL", "MATPLOTLIB", "TQDM_"),
    # numerical libraries, where it is not the number of threads or the kind of instructions
    *("TORCH", "PYTORCH_", "TRITON_", "CUBLAS", "CUDNN_", "NVIDIA_TF32_OVERRIDE"),
    *("NPY_", "NUMPY_", "SCIPY_", "SKLEARN_", "OPENCV_", "JOBLIB_", "LOKY_"),
    *("PYDANTIC_", "JAXTYPING_", "BEARTYPE_", "PYTEST_", "HYPOTHESIS_", "RUFF_", "PYDEVD_"),
    # how shells start, and functions that they find in place of programs
    *("BASH_ENV", "BASH_FUNC_", "BASHOPTS", "SHELLOPTS", "CDPATH", "GLOBIGNORE", "GREP_OPTIONS"),
    # another checkout, as git names it to its hooks, and how paths are read
    "GIT_",
)
"""Variables whose names begin like this do not reach our processes,"""

KEPT = ("JUPYTER_TOKEN", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "GIT_CONFIG")
"""but for these, which are meant for us, say only how memory is laid out, or whose checkouts git may trust."""


def surroundings(given: Mapping[str, str]) -> dict[str, str]:
    """The environment of our processes where the user's is `given`; that of one of our processes is its own."""
    ours = {name: value for name, value in given.items() if name.startswith(KEPT) or not name.startswith(FAMILIES)}
    for name in ("TMPDIR", "XDG_CONFIG_HOME"):
        if name in ours and not _usable(ours[name], os.W_OK if name == "TMPDIR" else os.R_OK):
            del ours[name]
    # The root of the file system is what a container gives those who have no home.
    if not _usable(ours.get("HOME", ""), os.X_OK) or Path(ours["HOME"]) == Path("/"):
        ours["HOME"] = str(HOME)
    if not any(map(ours.get, ("LOGNAME", "USER"))):
        ours["USER"] = _user()
    return ours | {
        # The bits of a run must not depend on how many cores a machine has: parallel work is done by processes.
        **{name: given.get(name) or "1" for name in ONE_THREAD},
        # For the Pythons that others start for us: a worker of joblib, a job of Snakemake's.
        "PYTHONDONTWRITEBYTECODE": "1",  # what launch.py says of it
        "PYTHONNOUSERSITE": "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONUTF8": "1",
        # Snakemake keeps sources there.
        "XDG_CACHE_HOME": str(HOME / ".cache"),
        "XDG_DATA_HOME": str(HOME / ".local/share"),
        "XDG_STATE_HOME": str(HOME / ".local/state"),
        "JUPYTER_CONFIG_DIR": str(HOME / "jupyter"),
        "JUPYTER_DATA_DIR": str(HOME / "jupyter/data"),
        # Before the environment's own, where another kernel of the same name lies.
        "JUPYTER_PREFER_ENV_PATH": "0",
        "JUPYTER_RUNTIME_DIR": str(HOME / "jupyter/runtime"),
        "IPYTHONDIR": str(HOME / "ipython"),
        "MPLCONFIGDIR": str(HOME / "matplotlib"),
    }


def enter() -> None:
    """Make them those of this process; for what may be started by others than us, on another machine for instance."""
    ours = surroundings(os.environ)
    for name in os.environ.keys() - ours:
        del os.environ[name]
    os.environ |= ours


def snakemakes(given: Mapping[str, str], profile: str | None) -> dict[str, str]:
    """The environment of Snakemake: of the user's settings of it, none without a profile, and never another profile."""
    left_out = "SNAKEMAKE_" if profile is None else "SNAKEMAKE_PROFILE"
    return {name: value for name, value in given.items() if not name.startswith(left_out)}


def python_command(module: str, *arguments: str, python: Path | str = sys.executable) -> list[str]:
    """How to start a module of this workspace, or an installed one, as a process."""
    return [str(python), "-I", "-X", "utf8", str(LAUNCH), module, *arguments]


def _usable(folder: str, access: int) -> bool:
    return Path(folder).is_absolute() and os.access(folder, access | os.X_OK) and os.path.isdir(folder)  # noqa: PTH112


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user-{os.getuid()}"
