"""Which Python runs the workspace, and making one where none has the packages.

In this order: the Python on the PATH (an active conda or virtual environment, a container) if it has every package
of pyproject.toml in range; one of the two environments that this file makes, if it is finished and made from the
present recipe; a new one, with conda where there is conda, else with pip. Standard library only.
"""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

from lib.workflow.messages import complain
from lib.workflow.process import Busy, locked
from lib.workflow.runs import ROOT
from lib.workflow.surroundings import surroundings

LOG = ROOT / ".reprise" / "install.log"
UNFINISHED = "unfinished"


PIP_REACHES = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "cert", "client-cert"),
    *("timeout", "default-timeout", "retries", "keyring-provider", "use-feature", "use-deprecated"),
    *("cache-dir", "no-cache-dir"),
)
"""Settings of pip that say how to reach packages, and where it keeps what it fetched."""

CACHES = ("XDG_CACHE_HOME", "XDG_DATA_HOME")
"""Of the user's home, if it can be written: what was fetched for others need not be fetched again."""

UNREACHABLE = "no network, or the package index does not answer; connect, or name a mirror in PIP_INDEX_URL"
CAUSES = {
    r"ProxyError|Cannot connect to proxy": "the proxy refuses; see pip's `proxy` setting, HTTPS_PROXY and NO_PROXY",
    r"CERTIFICATE_VERIFY_FAILED": "the package index shows a certificate that is not trusted; see pip's `cert` setting",
    r"NewConnectionError|Failed to establish a new connection|name resolution|ConnectTimeoutError|ReadTimeoutError"
    r"|Connection (refused|reset|aborted|timed out)|Network is unreachable|CONNECTION FAILED|Could not resolve host"
    # of a package that surely exists
    r"|\(from versions: none\)": UNREACHABLE,
    r"ensurepip is not available": "this Python lacks its module venv; on Debian and Ubuntu install python3-venv",
    r"No space left on device": "no space left on device; free some",
}
"""By what pip and conda say, why they failed; their own last line speaks of the first package that they missed."""


class CannotInstall(Exception):
    """The environment cannot be made; the message is one line and names the log."""


@dataclass(frozen=True)
class Managed:
    """An environment that we make. `made_from` inside it holds the recipe's hash, written when all is installed.

    While packages are being installed it says `unfinished`: pip takes a package that it was killed in for installed,
    so such an environment is made anew, not repaired.
    """

    folder: Path
    recipe: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def made_from(self) -> Path:
        return self.folder / ".made-from"

    @property
    def stamp(self) -> str:
        return hashlib.sha256(self.recipe.read_bytes()).hexdigest()

    def state(self) -> str:
        """The recorded hash, `unfinished`, or nothing if we never installed anything here."""
        return self.made_from.read_text(encoding="utf-8") if self.made_from.exists() else ""

    def is_current(self) -> bool:
        return self.python.exists() and self.state() == self.stamp

    def is_running(self) -> bool:
        return Path(sys.prefix).resolve() == self.folder


CONDA = Managed(ROOT / ".conda-env", ROOT / "environment.yml")
VENV = Managed(ROOT / ".venv", ROOT / "requirements.lock")


def missing_packages() -> list[str]:
    """The requirements of pyproject.toml that this Python does not meet."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return ["packaging"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = []
    for requirement in map(Requirement, project["dependencies"]):
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found = None
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            missing.append(str(requirement))
    return missing


def ensure() -> Path:
    """The Python to use; makes an environment if there is none. Raises CannotInstall."""
    if not (CONDA.is_running() or VENV.is_running() or missing_packages()):
        return Path(sys.executable)
    if current := _current():
        return current.python
    with locked(ROOT / ".reprise" / "install.lock", on_wait=_say_waiting):
        # Another process may have finished the work while we waited.
        made = _current() or (_make_conda() if _conda() else _make_venv())
    return made.python


def _current() -> Managed | None:
    return next((managed for managed in (CONDA, VENV) if managed.is_current()), None)


def _conda() -> str | None:
    return next(filter(None, map(shutil.which, ("mamba", "conda", "micromamba"))), None)


def _make_conda() -> Managed:
    conda = _conda()
    _say(f"making .conda-env with {Path(conda).name}, some minutes")
    # Nobody but us makes this folder, so one without a hash was interrupted, too.
    if CONDA.folder.exists() and CONDA.state() in ("", UNFINISHED):
        shutil.rmtree(CONDA.folder)
    verb = "update" if CONDA.folder.exists() else "create"
    command = [conda, verb] if Path(conda).name == "micromamba" else [conda, "env", verb]
    command += ["--prefix", str(CONDA.folder), "--file", str(CONDA.recipe)]
    _install(CONDA, command, _pip_settings(Path(sys.executable)))
    return CONDA


def _make_venv() -> Managed:
    if not _works(VENV.python) or VENV.state() == UNFINISHED:
        _say("making .venv and installing the packages with pip, one to five minutes")
        _run([_creator(), "-I", "-m", "venv", "--clear", str(VENV.folder)])
    else:
        _say("bringing the packages of .venv up to requirements.lock")
    command = [str(VENV.python), "-I", "-m", "pip", "install", "--requirement", str(VENV.recipe)]
    _install(VENV, command, _pip_settings(VENV.python))
    return VENV


def _install(managed: Managed, command: list[str], settings: dict[str, str]) -> None:
    stamp = managed.stamp
    if managed.folder.exists():
        managed.made_from.write_text(UNFINISHED, encoding="utf-8")
    try:
        _run(command, settings)
    except CannotInstall:
        # It gave up by itself, so it left nothing half-installed; what it did install need not be fetched again.
        managed.made_from.unlink(missing_ok=True)
        raise
    managed.made_from.write_text(stamp, encoding="utf-8")


def _creator() -> str:
    """The Python that makes a virtual environment: one that the packages of the lock are surely built for."""
    found = filter(None, map(shutil.which, ("python3.11", "python3.12", "python3.13")))
    return next((python for python in found if _works(Path(python))), getattr(sys, "_base_executable", sys.executable))


def _works(python: Path) -> bool:
    check = [str(python), "-I", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    return python.exists() and subprocess.run(check, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _pip_settings(python: Path) -> dict[str, str]:
    """As variables, what the user has set for pip, in files or variables, as far as it says how to reach packages.

    Other settings, such as where to install, are meant for other places.
    """
    command = [python, "-I", "-m", "pip", "config", "list"]
    # Otherwise `user = true` would list the settings of the user's alone, and `quiet` none.
    given = os.environ | {"PIP_USER": "0", "PIP_QUIET": "0"}
    done = subprocess.run(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    names = {f"PIP_{name.upper().replace('-', '_')}": name for name in PIP_REACHES}
    if done.returncode:  # a Python without pip, beside conda: the files stay unread, a variable stands above them
        return {name: os.environ[name] for name in names if name in os.environ} | {"PIP_USER": "0"}
    # global.index-url='...', then those of `pip install`, then variables: the later wins, as in pip.
    found = re.findall(r"^(global|install|:env:)\.([\w-]+)=('.*'|\".*\")$", done.stdout.decode(), re.MULTILINE)
    found.sort(key=lambda one: ("global", "install", ":env:").index(one[0]))
    values = {name: text for _, name, value in found if (text := ast.literal_eval(value))}  # as pip: empty is unset
    return {variable: values[name] for variable, name in names.items() if name in values} | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def _run(command: list[str], settings: Mapping[str, str] = MappingProxyType({})) -> None:
    """Run a command that installs; `settings` are the only ones of pip's. Raises CannotInstall."""
    theirs = {name: value for name, value in surroundings(os.environ).items() if not name.startswith("PIP_")}
    if os.access(theirs["HOME"], os.W_OK):
        for name in CACHES:
            del theirs[name]
        theirs |= {name: os.environ[name] for name in CACHES if name in os.environ}
    yes = {"CONDA_ALWAYS_YES": "true", "MAMBA_ALWAYS_YES": "true"}
    with LOG.open("w", encoding="utf-8") as log:
        done = subprocess.run(command, stdout=log, stderr=log, cwd=ROOT, env=theirs | yes | settings, check=False)
    if done.returncode:
        text = LOG.read_text(encoding="utf-8", errors="replace")
        raise CannotInstall(f"{Path(command[0]).name} failed: {_cause(text)}; all of it: {LOG.relative_to(ROOT)}")


def _cause(log: str) -> str:
    """Why installing failed: what is behind it, where that is known, else the last error that was told."""
    for words, cause in CAUSES.items():
        if re.search(words, log, re.IGNORECASE):
            return cause
    return next((line.strip() for line in reversed(log.splitlines()) if "error" in line.lower()), "no error message")


def _say_waiting(busy: Busy) -> None:
    _say(f"{busy} is installing the packages; waiting for it")


def _say(line: str) -> None:
    complain(f"{line} (log: {LOG.relative_to(ROOT)})")
