"""The three lists of packages agree, and an environment is made once, whole, and anew when it was interrupted."""

import os
import re
import signal
import sys
import zipfile

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lib.workflow import environment, pins
from lib.workflow.runs import ROOT
from tests.workflow.workspace import finish, wait_until

DIRECT = {canonicalize_name(requirement.name): requirement for requirement in pins.direct()}


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def conda() -> tuple[list[str], list[str]]:
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    packages = next(entry["pip"] for entry in dependencies if isinstance(entry, dict))
    return [entry for entry in dependencies if isinstance(entry, str)], packages


def test_lock_is_exact_and_in_range():
    for name, version in locked().items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert re.fullmatch(r"\d+(\.\d+)*(\.post\d+)?", version), f"{name} is no released version, or a local build"
    for name, requirement in DIRECT.items():
        assert requirement.specifier.contains(locked()[name]), f"{requirement} but the lock has {locked()[name]}"
    assert locked()["torch"] == "2.13.0"


def test_lock_is_complete():
    """pip would add nothing but a GPU build's own libraries; checked where the environment was made from the lock."""
    installed = pins.pins(pins.direct())
    if any(locked().get(name) != version for name, version in installed.items() if name in DIRECT):
        pytest.skip("this environment has other versions than the lock")
    needed = {
        name: version for name, version in installed.items() if not name.startswith(("nvidia-", "cuda-", "triton"))
    }
    assert needed.items() <= locked().items()


def test_conda_has_what_pyproject_asks_for():
    conda_packages, pip_packages = conda()
    python = Requirement(conda_packages[0].replace("=", "==", 1) + ".*")
    assert python.name == "python"
    assert python.specifier.contains("3.11.0")
    assert pip_packages[0] == "--constraint requirements.lock"
    listed = {canonicalize_name(Requirement(text).name): Requirement(text) for text in pip_packages[1:]}
    assert listed == DIRECT


def test_this_python_has_the_packages():
    assert environment.missing_packages() == []


def test_missing_and_outdated_packages_are_named(monkeypatch, tmp_path):
    listed = 'dependencies = ["numpy>=1", "numpy>=999", "no-such-package", "pytest<1"]'
    (tmp_path / "pyproject.toml").write_text(f"[project]\n{listed}\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    assert environment.missing_packages() == ["numpy>=999", "no-such-package", "pytest<1"]


@pytest.fixture
def bare(workspace):
    """A workspace that needs a package nobody has, so that no Python on the PATH will do; its lock needs nothing."""
    project = workspace.root / "pyproject.toml"
    project.write_text(project.read_text().replace('"torch', '"no-such-package", "torch'))
    workspace.write("requirements.lock", "# nothing\n")
    workspace.write("environment.yml", "dependencies: []\n")
    return workspace


PRINT_IT = "from lib.workflow.environment import ensure; print(ensure())"


def ensure(workspace, **variables):
    """Start what makes the environment; its output is the Python to use."""
    given = {"PYTHONPATH": str(workspace.root)} | variables
    return workspace.popen([sys.executable, "-P", "-c", PRINT_IT], **given)


@pytest.mark.slow
def test_venv_is_made_once_brought_up_to_date_and_made_anew_after_a_kill(bare):
    two = [ensure(bare), ensure(bare)]
    first, second = map(finish, two)
    assert first.out == second.out == f"{bare.root}/.venv/bin/python\n"
    said = sorted([first.err, second.err], key=len)
    assert sum(text.count("making .venv") for text in said) == 1
    assert any("is installing the packages; waiting for it" in text for text in said)

    # Finished and current: silence. A folder we made stays as it is.
    (keepsake := bare.root / ".venv" / "keepsake").touch()
    assert finish(ensure(bare)).err == ""
    bare.write("requirements.lock", "# another nothing\n")
    assert "bringing the packages of .venv up to requirements.lock" in finish(ensure(bare)).err
    assert finish(ensure(bare)).err == ""
    assert keepsake.exists()

    # Killed while pip works: what pip left behind is not trusted.
    bare.write("requirements.lock", "# a third\n")
    pip = bare.root / ".venv/bin/python"
    real = pip.resolve()
    pip.unlink()
    pip.write_text(f'#!/bin/sh\n[ "$2" = -m ] && [ "$4" = install ] && sleep 600\nexec "{real}" "$@"\n')
    pip.chmod(0o755)
    process = ensure(bare)
    wait_until(lambda: (bare.root / ".venv/.made-from").read_text() == "unfinished", "pip works")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "making .venv" in finish(ensure(bare)).err
    assert not keepsake.exists()


def test_failed_install_is_one_line_that_names_the_log(bare):
    bare.write("requirements.lock", "./no-such-folder\n")
    ended = bare.run_all("--dry-run")
    assert ended.code == 1
    line = ended.err.splitlines()[-1]
    assert line.startswith("run_all.sh: python failed: ERROR: ")
    assert "no-such-folder" in line
    assert line.endswith("all of it: .reprise/install.log")
    bare.write("requirements.lock", "# nothing\n")
    assert "bringing the packages of .venv up to requirements.lock" in finish(ensure(bare)).err


def test_conda_is_preferred_and_made_anew_after_a_kill(bare):
    """With a stand-in for conda that notes its arguments and links this Python."""
    tools = bare.root / "tools"
    tools.mkdir()
    fake = tools / "conda"
    fake.write_text(
        f"""#!/bin/sh
echo "$CONDA_ALWAYS_YES $*" >> "{bare.root}/calls"
[ -e "{bare.root}/broken" ] && mkdir -p "{bare.root}/.conda-env/half" && echo "error: no network" && exit 1
mkdir -p "{bare.root}/.conda-env/bin" && ln -sf "{sys.executable}" "{bare.root}/.conda-env/bin/python"
"""
    )
    fake.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    where = f"--prefix {bare.root}/.conda-env --file {bare.root}/environment.yml"

    (broken := bare.root / "broken").touch()
    ended = finish(ensure(bare, PATH=path))
    assert "CannotInstall: conda failed: error: no network" in ended.err
    broken.unlink()
    ended = finish(ensure(bare, PATH=path))
    assert ended.out == f"{bare.root}/.conda-env/bin/python\n"
    assert not (bare.root / ".conda-env/half").exists()
    assert finish(ensure(bare, PATH=path)).err == ""
    bare.write("environment.yml", "dependencies: [pip]\n")
    finish(ensure(bare, PATH=path))
    calls = (bare.root / "calls").read_text().splitlines()
    assert calls == [f"true env create {where}", f"true env create {where}", f"true env update {where}"]


def test_settings_of_pip_for_other_places_do_not_enter_and_those_for_the_way_do(bare, tmp_path):
    """`user = true` in pip.conf stopped it, as a target, a prefix or a constraint would; where packages lie holds."""
    with zipfile.ZipFile(tmp_path / "tiny-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        wheel.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("tiny-1.dist-info/RECORD", "")
    theirs = tmp_path / "pip.conf"
    theirs.write_text(
        "[global]\nuser = true\nquiet = 2\ntarget = /no/such\nconstraint = /no/such\nfind-links = /no/such\n"
        f"[install]\nprefix = /no/such\nno-index = true\nfind-links = {tmp_path}\n"
    )
    given = {"PIP_CONFIG_FILE": str(theirs), "PIP_PREFIX": "/no/such", "PIP_FIND_LINKS": "", "PIP_DRY_RUN": "1"}
    bare.write("requirements.lock", "tiny==1\n")
    ended = finish(ensure(bare, **given))
    assert (ended.code, ended.out) == (0, f"{bare.root}/.venv/bin/python\n"), ended
    assert list((bare.root / ".venv").glob("lib/*/site-packages/tiny.py"))

    bare.write("requirements.lock", "another==1\n")
    ended = finish(ensure(bare, **given))
    assert "CannotInstall: python failed: no network, or the package index does not answer" in ended.err


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            "WARNING: Retrying ... NewConnectionError(...)\nERROR: No matching distribution found for anyio",
            "no network",
        ),
        ("... [Errno -3] Temporary failure in name resolution\nERROR: No matching", "no network"),
        ("CondaHTTPError: HTTP 000 CONNECTION FAILED for url", "no network"),
        ("... ProxyError('Cannot connect to proxy.', ...)\nERROR: No matching", "the proxy refuses"),
        ("SSLError(... CERTIFICATE_VERIFY_FAILED ...)\nERROR: No matching", "a certificate that is not trusted"),
        ("The virtual environment was not created, as ensurepip is not available", "python3-venv"),
        ("ERROR: Could not install: [Errno 28] No space left on device", "free some"),
        ("one\nERROR: something else\ntwo", "ERROR: something else"),
        ("silence", "no error message"),
    ],
)
def test_the_cause_of_a_failed_install_is_told(log, cause):
    assert cause in environment._cause(log)
