"""Usage errors: one line and exit code 2, before anything is installed or started."""

import shutil
import subprocess
import sys

import pytest

from lib.data.recordings import raw_layout
from lib.errors import InputError
from lib.workflow import usage
from lib.workflow.usage import parse

FAULTS = [
    (["frobnicate"], "unknown verb 'frobnicate'; verbs: reproduce, test"),
    (["reprodoce"], "did you mean 'reproduce'?"),
    (["--cores", "0"], "expected a number from 1 to 1024, got '0'"),
    (["--cores", "two"], "got 'two'"),
    (["--cores"], "argument --cores"),
    (["--quick", "--paper"], "not allowed with"),
    (["--pap"], "--pap"),
    (["reproduce", "alpha"], "alpha"),
    (["--only", "gamma"], "no run 'gamma/quick'; known: alpha/quick, beta/quick"),
    (["--only", "alpha/mosi"], "no run 'alpha/mosi'; known"),
    (["--only", "alpha", "--paper"], "no run 'alpha/paper'; known"),
    (["--only", "alpha/quick/x"], "no run 'alpha/quick/x'"),
    (["--paper"], "no run is called 'paper'; known: alpha/quick"),
    (["--only", "../alpha"], "no run '../alpha'"),
    (["test", "tests/data"], "after `--`"),
    (["lab", "--port=1"], "after `--`"),
    (["--", "x"], "no meaning"),
    (["compare", "a", "b", "--", "c"], "no meaning"),
    (["test", "--all", "--", "-k", "x"], "--all is for all tests"),
    (["--cores", "2", "reproduce"], "unrecognized arguments: reproduce"),
    (["data", "get", "mosi", "--all"], "data: unrecognized arguments: --all"),
    (["bench"], "benchmarks/run.py: there is no benchmark yet"),
]


def bare(workspace, *arguments):
    """`run_all.sh` on a machine whose Python has no packages at all."""
    path = workspace.root / "bin"
    path.mkdir(exist_ok=True)
    for tool in ("env", "bash", "readlink", "dirname"):
        if not (path / tool).exists():
            (path / tool).symlink_to(shutil.which(tool))
    python = path / "python3"
    if not python.exists():
        # -S: no site-packages.
        python.write_text(f'#!{path}/bash\nexec "{sys.executable}" -S "$@"\n')
        python.chmod(0o755)
    return subprocess.run(
        [workspace.root / "run_all.sh", *arguments], env={"PATH": str(path)}, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "said"), FAULTS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_usage_error_is_one_line_and_exit_2_without_packages(template, arguments, said):
    ended = bare(template, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr
    assert ended.stderr.startswith("run_all.sh: ")
    assert ended.stderr.count("\n") == 1
    assert not (template.root / ".venv").exists()


@pytest.mark.parametrize(
    "arguments",
    ["--help", "-h", "--cores 2 -h", "reproduce --help", "test --help", "lab -h", "compare -h", "data get --help"],
)
def test_help_needs_no_packages(template, arguments):
    ended = bare(template, *arguments.split())
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("usage: ./run_all.sh ")


@pytest.fixture
def main_help(capsys) -> str:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_help_fits_a_screen_and_names_every_verb_and_option(main_help):
    lines = main_help.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 120
    for word in (
        *usage.VERBS,
        "--quick",
        "--paper",
        "--only",
        "--cores",
        "--dry-run",
        "--chunks",
        "--devices",
        "--profile",
    ):
        assert word in main_help


def test_help_says_what_the_exit_codes_mean(main_help):
    (line,) = [line for line in main_help.splitlines() if line.startswith("Exit code: ")]
    codes = dict(part.strip().split(" ", 1) for part in line.removeprefix("Exit code: ").split(";"))
    assert (codes["0"], codes["1"].split()[:3], codes["2"]) == (
        "all is well",
        ["a", "run", "failed"],
        "what was given cannot be used.",
    )


def test_without_a_fitting_python_and_without_conda(workspace):
    bare(workspace, "--help")
    (workspace.root / "bin" / "python3").write_text(f"#!{workspace.root}/bin/bash\nexit 1\n")
    ended = bare(workspace, "--help")
    assert (ended.returncode, ended.stderr) == (
        1,
        "run_all.sh: needs Python 3.11 or newer, or conda; found neither\n",
    )


def test_default_is_every_quick_run(monkeypatch, template):
    monkeypatch.setattr("lib.workflow.runs.ROOT", template.root)
    assert list(map(str, parse([]).runs)) == ["alpha/quick", "beta/quick"]
    assert parse([]) == parse(["reproduce", "--quick"])
    assert (parse([]).cores, parse([]).dry_run, parse([]).profile) == (None, False, None)


def test_only_narrows_and_repeats(monkeypatch, workspace):
    monkeypatch.setattr("lib.workflow.runs.ROOT", workspace.root)
    workspace.parameters("alpha/paper", number=1)
    workspace.parameters("alpha/.hidden", number=1)
    given = ["--only", "beta", "--only", "alpha/paper", "--only", "beta/quick", "--cores", "3"]
    request = parse(given)
    assert (list(map(str, request.runs)), request.cores) == (["alpha/paper", "beta/quick"], 3)
    assert list(map(str, parse(["--paper"]).runs)) == ["alpha/paper"]
    with pytest.raises(InputError, match=r"known: alpha/paper, alpha/quick, beta/quick$"):
        parse(["--only", "alpha/.hidden"])


def test_verbs_pass_their_arguments_on():
    assert parse(["bench", "--", "fleet", "--help"]).rest == ("--", "fleet", "--help")
    assert parse(["test", "--", "-k", "x"]).rest == ("-k", "x")
    assert parse(["lab", "--", "--no-browser"]).rest == ("--no-browser",)


def test_raw_corpora_are_those_that_can_be_decoded():
    assert tuple(raw_layout.EMOTIONS) == usage.RAW_CORPORA
