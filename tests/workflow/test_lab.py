"""`run_all.sh lab`, asked as JupyterLab's own pages ask it: contents, sessions, and kernels over their websocket."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.workflow.jupyter import Server, free_port
from tests.workflow.workspace import REAL, Workspace, finish, is_alive, wait_until

TOKEN = "the-right-token"
FASTEST = "mosi_positive_colearning"
PROGRESS_BAR = "application/vnd.jupyter.widget-view+json"
RUNTIME = ".reprise/home/jupyter/runtime"
STRANGER = "print('started by a stranger')"


class Lab(Server):
    """A running `run_all.sh lab`."""

    def __init__(self, workspace: Workspace, home: Path, *arguments: str, **variables: str):
        super().__init__(free_port(), variables.get("JUPYTER_TOKEN", TOKEN))
        self.home = home
        options = ["--no-browser", "--allow-root", f"--port={self.port}", "--ServerApp.port_retries=0", *arguments]
        given = {"HOME": str(home), "JUPYTER_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"} | variables
        self.process = workspace.start("lab", "--", *options, **given)

    def wait(self) -> "Lab":
        wait_until(lambda: self.process.poll() is not None or self.is_up(), "JupyterLab answers", 120)
        assert self.process.poll() is None, self.process.communicate()
        return self

    def family(self) -> list[psutil.Process]:
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return finish(self.process, 60).code


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Iterator[Workspace]:
    """What is under version control, in a folder whose name has a blank."""
    root = tmp_path_factory.mktemp("lab") / "my workspace"
    for name in ("run_all.sh", "pyproject.toml", "lib", "notebooks", "params"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if (REAL / name).is_dir():
            shutil.copytree(REAL / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(REAL / name, root / name)
    with closing(Workspace(root)) as workspace:
        yield workspace


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A user who has registered a broken kernel of the usual name, opened the server to the world, and named a class
    that nobody has.
    """
    home = tmp_path_factory.mktemp("home")
    kernel = home / ".local/share/jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    broken = {"argv": [sys.executable, "-c", STRANGER], "display_name": "stranger", "language": "python"}
    kernel.write_text(json.dumps(broken))
    (home / ".jupyter").mkdir()
    (home / ".jupyter/jupyter_config.py").write_text("c.ServerApp.contents_manager_class = 'no_such.Manager'\n")
    own = {"ServerApp": {"ip": "0.0.0.0", "allow_remote_access": True}, "IdentityProvider": {"token": ""}}
    (home / ".jupyter/jupyter_server_config.json").write_text(json.dumps(own))
    return home


@pytest.fixture(scope="module")
def lab(real, home) -> Iterator[Lab]:
    lab = Lab(real, home).wait()
    yield lab
    if lab.process.poll() is None:
        lab.stop()


def files(folder: Path) -> set[str]:
    """All files but what Python and we keep for ourselves."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if not {"__pycache__", ".reprise"} & set(path.parts)}


@pytest.mark.parametrize("token", ["", "wrong"])
@pytest.mark.parametrize("path", ["api/contents", "api/kernels", "api/sessions", "api/terminals"])
def test_only_the_token_opens_it(lab, path, token):
    assert lab.request("GET", path, token=token).status_code == 403
    page = lab.request("GET", "files/run_all.sh", token=token)
    assert (page.status_code, page.headers["Location"].partition("?")[0]) == (302, "/login")


def test_listens_on_loopback_only(lab):
    listening = [c for p in lab.family() for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert (("127.0.0.1", lab.port)) in [connection.laddr for connection in listening]
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_token_is_not_among_the_arguments_of_any_process(lab):
    assert not [word for process in lab.family() for word in process.cmdline() if TOKEN in word]


def test_shows_the_workspace_and_the_kernel_of_this_environment(lab, real):
    shown = {entry["name"] for entry in lab.get("api/contents")["content"]}
    assert {"notebooks", "params", "lib", "run_all.sh"} <= shown
    notebooks = {entry["name"] for entry in lab.get("api/contents/notebooks")["content"]}
    assert notebooks == {path.name for path in (REAL / "notebooks").glob("*.ipynb")}
    kernels = lab.get("api/kernelspecs")
    assert kernels["default"] == "python3"
    assert kernels["kernelspecs"]["python3"]["spec"]["display_name"] == "Reprise (Python 3)"


@pytest.mark.slow
def test_run_all_of_a_notebook_as_it_is(lab, real, home):
    """The defaults in the parameters cell suffice, and every cell puts out what is stored, in kind and extent."""
    before, kept = files(real.root), files(home)
    notebook, kernel = lab.open_notebook(f"notebooks/{FASTEST}.ipynb")
    outputs = lab.run_all(kernel, notebook["cells"], seconds=600)
    errors = [(o["ename"], o["evalue"]) for cell in outputs for o in cell if o["output_type"] == "error"]
    assert not errors
    stored = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [shape(cell) for cell in outputs] == [shape(cell["outputs"]) for cell in stored]
    for new, old in zip(outputs, stored, strict=True):
        if "NBVAL_CHECK_OUTPUT" in old["source"]:
            assert text(new) == text(old["outputs"])

    looked = {"cell_type": "code", "source": "import os, sys, lib; print(os.getcwd(), sys.prefix, lib.__file__)"}
    ((said,),) = lab.run_all(kernel, [looked], seconds=60)
    assert said["text"].strip() == f"{real.root} {sys.prefix} {real.root}/lib/__init__.py"
    written = files(real.root) - before
    assert f"results/{FASTEST}/explore/manifest.json" in written
    assert {Path(name).parts[:3] for name in written} == {("results", FASTEST, "explore")}
    settings = (".jupyter/", ".local/share/jupyter/kernels/")
    assert not [name for name in files(home) - kept if name.startswith(settings)]


def shape(outputs: list[dict]) -> list[tuple]:
    """Kinds of output, and of tables the number of lines. Streams that follow each other are one; the progress bar,
    which a person sees and a stored notebook does not hold, is left out.
    """
    shapes = []
    for output in outputs:
        kinds = tuple(sorted(output.get("data", {}))) or (output.get("name", ""),)
        lines = "".join(output.get("data", {}).get("text/markdown", "")).count("\n")
        one = (output["output_type"], kinds, lines)
        repeated = output["output_type"] == "stream" and shapes[-1:] == [one]
        if not repeated and PROGRESS_BAR not in kinds:
            shapes.append(one)
    return shapes


def text(outputs: list[dict]) -> str:
    return "".join("".join(output.get("text", "")) for output in outputs)


@pytest.mark.slow
def test_nothing_is_left_when_it_is_stopped(real, home):
    lab = Lab(real, home).wait()
    _, kernel = lab.open_notebook("notebooks/low_rank_fusion.ipynb")
    lab.run_all(kernel, [{"cell_type": "code", "source": "1 + 1"}], seconds=60)
    family = [process.pid for process in lab.family()]
    assert len(family) > 1
    running = files(real.root / RUNTIME)
    mine = {name for name in running if str(lab.process.pid) in name or kernel in name}
    assert len(mine) >= 2
    assert lab.stop() == 0
    wait_until(lambda: not [pid for pid in family if is_alive(pid)], "server and kernels are gone", 30)
    assert not mine & files(real.root / RUNTIME)
    registered = subprocess.run(["find", home / ".local/share/jupyter/kernels", "-type", "f"], capture_output=True)
    assert registered.stdout.decode().split() == [f"{home}/.local/share/jupyter/kernels/python3/kernel.json"]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--ip=0.0.0.0", "--ServerApp.ip=*", "--IdentityProvider.token="])
def test_access_cannot_be_widened_in_passing(real, home, option):
    ended = finish(Lab(real, home, option).process, 60)
    assert ended.code != 0
    assert "only accepts one value" in ended.err


@pytest.mark.slow
def test_without_a_token_of_the_users_there_is_a_new_one_each_time(real, home):
    tokens = []
    for _ in range(2):
        lab = Lab(real, home, JUPYTER_TOKEN="")
        info = real.root / RUNTIME / f"jpserver-{lab.process.pid}.json"
        wait_until(lambda info=info: info.exists() and info.read_text().endswith("}"), "the server describes itself")
        lab.token = json.loads(info.read_text())["token"]
        lab.wait()
        assert lab.request("GET", "api/contents", token="wrong").status_code == 403
        tokens.append(lab.token)
        assert lab.stop() == 0
    assert len(set(tokens)) == 2
    assert min(map(len, tokens)) >= 32


def test_root_is_told_how_to_go_on(real):
    if os.geteuid() != 0:
        pytest.skip("only root is refused")
    ended = real.run_all("lab")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "run_all.sh: JupyterLab does not start as root unasked; ./run_all.sh lab -- --allow-root\n"


def test_neither_a_home_nor_settings_of_the_users_are_needed(real, tmp_path):
    """The user's home cannot be written and configures a class that nobody has; as a variable does."""
    (tmp_path / "jupyter").mkdir()
    (tmp_path / "jupyter/jupyter_server_config.py").write_text("c.ServerApp.kernel_manager_class = 'no_such.Class'\n")
    theirs = {"JUPYTER_CONFIG_DIR": str(tmp_path / "jupyter"), "JUPYTER_CONFIG_PATH": str(tmp_path / "jupyter")}
    lab = Lab(real, Path("/"), JUPYTER_PLATFORM_DIRS="1", IPYTHONDIR=str(tmp_path), **theirs).wait()
    _, kernel = lab.open_notebook("notebooks/low_rank_fusion.ipynb")
    ((said,),) = lab.run_all(kernel, [{"cell_type": "code", "source": "print(1 + 1)"}], seconds=60)
    assert said["text"] == "2\n"
    assert lab.stop() == 0
