"""What our processes take from the user's surroundings, and that they need neither a home nor a name."""

import json

import pytest

from lib.workflow.surroundings import HOME, snakemakes, surroundings
from tests.workflow.machines import NOBODY, bare, run_all, skip_unless_it_works

RUN = "alpha/quick"
SETTINGS = (
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONHASHSEED"),
    *("JUPYTER_CONFIG_PATH", "JUPYTER_PATH", "JUPYTER_NO_CONFIG", "JPY_SESSION_NAME", "PAPERMILL_ANY"),
    *("MPLBACKEND", "MATPLOTLIBRC", "TQDM_DISABLE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "RUFF_CONFIG"),
    *("TORCH_LOGS", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "NVIDIA_TF32_OVERRIDE"),
    *("CUBLAS_WORKSPACE_CONFIG", "PYTORCH_JIT", "SCIPY_ARRAY_API", "SKLEARN_ASSUME_FINITE", "LOKY_MAX_CPU_COUNT"),
    *("JOBLIB_START_METHOD", "NPY_DISABLE_CPU_FEATURES", "OPENCV_IO_MAX_IMAGE_PIXELS", "JAXTYPING_DISABLE"),
    *("BASH_ENV", "CDPATH", "SHELLOPTS", "GREP_OPTIONS", "BASH_FUNC_python%%", "GIT_DIR", "GIT_WORK_TREE"),
)
RIGHTS = {
    "PATH": "/bin",
    "HTTPS_PROXY": "http://proxy",
    "REQUESTS_CA_BUNDLE": "/ca",
    "REPRISE_DATA": "/data",
    "OMP_NUM_THREADS": "2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "CUDA_VISIBLE_DEVICES": "1",
    "JUPYTER_TOKEN": "t",
    "PYTORCH_ALLOC_CONF": "x",
    "GIT_CONFIG_COUNT": "0",
    "SLURM_JOB_ID": "7",
    "LANG": "C",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_of_a_program_does_not_enter(name):
    assert surroundings({name: "the user's"}).get(name) != "the user's"


def test_what_says_where_things_are_enters():
    assert RIGHTS.items() <= surroundings(RIGHTS).items()


def test_they_are_those_of_our_processes_already(tmp_path):
    ours = surroundings({"HOME": str(tmp_path), "PYTHONPATH": "/x"})
    assert surroundings(ours) == ours


@pytest.mark.parametrize("home", [None, "", "/", "relative", "/no/such/folder", "/etc/passwd"])
def test_who_has_no_home_gets_one_in_the_workspace(home):
    given = {} if home is None else {"HOME": home}
    assert surroundings(given)["HOME"] == str(HOME)


def test_a_home_that_is_there_stays_and_is_not_written_to(tmp_path):
    ours = surroundings({"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})
    assert [name for name, value in ours.items() if value.startswith(str(tmp_path))] == ["HOME"]


def test_folders_that_cannot_be_used_are_forgotten(tmp_path):
    unusable = surroundings({"TMPDIR": "/no/such/folder", "XDG_CONFIG_HOME": "relative"})
    assert not {"TMPDIR", "XDG_CONFIG_HOME"} & unusable.keys()
    usable = {"TMPDIR": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    assert usable.items() <= surroundings(usable).items()


def test_a_user_without_an_account_has_a_name(monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert surroundings({})["USER"].startswith("user-")
    assert "USER" not in surroundings({"LOGNAME": "me"})


def test_settings_of_snakemake_enter_with_a_profile_alone():
    given = {"SNAKEMAKE_PROFILE": "theirs", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "s", "PATH": "/bin"}
    assert snakemakes(given, None) == {"PATH": "/bin"}
    assert snakemakes(given, "slurm") == {"PATH": "/bin", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "s"}


@pytest.mark.parametrize("home", ["unset", "the root", "read-only"])
def test_nobody_runs_without_a_home(small, tmp_path, home):
    skip_unless_it_works(*NOBODY, what="another user")
    folder = tmp_path / "home"
    folder.mkdir(mode=0o555)
    # Of two runs, because one alone goes without Snakemake.
    small.write("params/alpha/again.yaml", (small.root / "params/alpha/quick.yaml").read_text())
    variables = {
        "unset": bare(XDG_CACHE_HOME="relative", TMPDIR="/no/such/folder"),
        "the root": bare(HOME="/", XDG_CONFIG_HOME="/no/such/folder"),
        "read-only": bare(HOME=str(folder), USER="me", LC_ALL="xx_YY.UTF-8", TZ="No/Where"),
    }
    both = ("--only", RUN, "--only", "alpha/again")
    ended = run_all(small, *both, before=NOBODY, variables=variables[home])
    assert (ended.code, ended.err, ended.state(RUN)) == (0, "", "ran"), ended
    assert list(folder.iterdir()) == []
    assert (small.root / ".reprise/home/.cache/snakemake").is_dir()


LOOKS = """
import json, os, sys
import joblib, matplotlib
import lib.squares

assert lib.squares.square(2) == 4
seen = {
    "foreign": [path for path in sys.path if "foreign" in path],
    "dpi": matplotlib.rcParams["savefig.dpi"],
    "flags": [sys.flags.optimize, sys.warnoptions, sys.flags.utf8_mode],
    "startup": "STARTED" in os.environ,
    "in JupyterLab": "JPY_SESSION_NAME" in os.environ,
    "worker": joblib.Parallel(2)(joblib.delayed(lib.squares.square)(n) for n in (2, 3)),
}
result = json.dumps(seen)
"""


def test_the_settings_of_a_whole_life_do_not_enter(small, tmp_path):
    """Each of them stopped a run or changed its figures."""
    home = tmp_path / "home"
    foreign = tmp_path / "foreign"
    for module in ("yaml", "seaborn", "packaging", "argparse", "runpy", "matplotlib", "lib", "usercustomize"):
        (foreign / module).mkdir(parents=True)
        (foreign / module / "__init__.py").write_text(f"raise ImportError('foreign {module}')\n")
    written = {
        ".jupyter/jupyter_config.py": "c.KernelManager.no_such_trait = no_such_name",
        ".ipython/profile_default/startup/mine.py": "import os; os.environ['STARTED'] = 'yes'",
        ".config/matplotlib/matplotlibrc": "savefig.dpi: 13",
        "startup.py": "import os; os.environ['STARTED'] = 'yes'",
        "bash.sh": "echo from BASH_ENV; exit 7",
        "mine/config.yaml": "dry-run: true",
    }
    for name, text in written.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"{text}\n")
    small.write("matplotlibrc", "savefig.dpi: 13\n")
    small.write_notebook("alpha", LOOKS)
    variables = bare(
        HOME=str(home),
        PYTHONPATH=str(foreign),
        PYTHONHOME="/no/such/folder",
        PYTHONSTARTUP=str(home / "startup.py"),
        PYTHONOPTIMIZE="2",
        PYTHONWARNINGS="error",
        PYTHONHASHSEED="none",
        PYTHONIOENCODING="ascii",
        SNAKEMAKE_PROFILE=str(home / "mine"),
        JUPYTER_CONFIG_DIR=str(home / ".jupyter"),
        IPYTHONDIR=str(home / ".ipython"),
        MPLBACKEND="no such backend",
        MATPLOTLIBRC=str(home / ".config/matplotlib"),
        BASH_ENV=str(home / "bash.sh"),
        CDPATH="/tmp",
        GIT_DIR="/no/such/folder",
        JPY_SESSION_NAME="notebook",
        LANG="C",
    )
    ended = run_all(small, variables=variables)
    assert (ended.code, ended.err, ended.state(RUN)) == (0, "", "ran"), ended
    text = small.path(RUN, "tables/result.csv").read_text().partition("\n")[2]
    assert json.loads(text) == {
        "foreign": [],
        "dpi": "figure",
        "flags": [0, [], 1],
        "startup": False,
        "in JupyterLab": False,
        "worker": [4, 9],
    }
    assert not (home / ".cache").exists()


def test_a_profile_of_the_users_is_for_other_work(small):
    """Which is not there; one that is there is among the settings above."""
    ended = run_all(small, variables=bare(HOME="/", SNAKEMAKE_PROFILE="mycluster"))
    assert (ended.code, ended.state(RUN)) == (0, "ran"), ended
