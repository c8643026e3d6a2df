"""Parts from small wheels in a local folder, which pip is told of as a user tells it: by its own settings."""

import errno
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from lib.data.io import packages
from lib.data.pretrained import PARTS, PartFile, PretrainedPart
from lib.errors import InputError

CONTENT = {"tiny_part/a.bin": b"weights" * 50, "tiny_part/b.txt": b"words\n"}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    path = folder / "tiny_part-1.0-py3-none-any.whl"
    about = "tiny_part-1.0.dist-info/"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in CONTENT.items():
            archive.writestr(name, content)
        archive.writestr(
            about + "METADATA", "Metadata-Version: 2.1\nName: tiny-part\nVersion: 1.0\nRequires-Dist: none-such\n"
        )
        archive.writestr(about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(about + "RECORD", "")
    settings = tmp_path / "pip.conf"
    settings.write_text(
        f"[global]\nno-index = true\nfind-links = {folder}\nuser = true\nrequire-virtualenv = true\nno-binary = :all:\n"
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    return path


@pytest.fixture
def part(wheel) -> PretrainedPart:
    files = tuple(
        PartFile(f"parts/tiny/{Path(name).name}", name, len(content), _hash(content))
        for name, content in CONTENT.items()
    )
    return PretrainedPart("tiny", "a tiny part", "tiny-part", "1.0", _hash(wheel.read_bytes()), "MIT", files)


def left(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_part_is_fetched_once_under_settings_meant_for_installing(part, tmp_path):
    root = tmp_path / "data"
    assert part.survey(root).state == "missing"
    assert len(packages.get(part, root)) == 2
    assert left(root) == ["parts/tiny/a.bin", "parts/tiny/b.txt"]
    assert (root / "parts/tiny/a.bin").read_bytes() == CONTENT["tiny_part/a.bin"]
    assert list(root.iterdir()) == [root / "parts"]  # no temporary folder stays
    assert part.survey(root).state == "present"
    assert packages.get(part, root) == []


def test_what_is_damaged_or_lacking_is_told_and_fetched_again(part, tmp_path):
    packages.get(part, tmp_path)
    first, second = (tmp_path / file.path for file in part.files)
    second.unlink()
    assert part.survey(tmp_path).state == "partial"
    with pytest.raises(InputError, match=r"b\.txt: is missing; \./run_all\.sh data get tiny"):
        part.paths(tmp_path)
    first.write_bytes(b"x" * part.files[0].size)
    assert part.survey(tmp_path).state == "damaged"
    with pytest.raises(InputError, match=r"a\.bin: has sha256"):
        part.paths(tmp_path)
    assert packages.get(part, tmp_path) == [first, second]
    assert set(part.paths(tmp_path)) == {"a.bin", "b.txt"}


def test_another_wheel_than_the_pinned_one_is_refused(part, tmp_path):
    with pytest.raises(InputError, match=r"tiny: pip could not fetch tiny-part 1\.0: .*wrong hash"):
        packages.get(replace(part, sha256="0" * 64), tmp_path / "data")
    assert left(tmp_path / "data") == []


def test_another_file_in_the_pinned_wheel_is_refused(part, tmp_path):
    for change in ({"sha256": "0" * 64}, {"size": 3}, {"member": "tiny_part/c"}):
        other = replace(part, files=(replace(part.files[0], **change),))
        with pytest.raises(InputError, match=r"^tiny: .*(expected|not the pinned file|lacks)"):
            packages.get(other, tmp_path / "data")
        assert left(tmp_path / "data") == []


def test_a_package_that_the_index_lacks_is_one_line(part, wheel, tmp_path):
    wheel.unlink()
    with pytest.raises(InputError, match=r"could not fetch tiny-part 1\.0: Could not find a version") as refused:
        packages.get(part, tmp_path / "data")
    assert "\n" not in str(refused.value)
    assert left(tmp_path / "data") == []


@pytest.fixture
def silent(wheel, monkeypatch):
    """An index that takes a connection and never answers; gives the socket that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        index = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        Path(os.environ["PIP_CONFIG_FILE"]).write_text(f"[global]\nindex-url = {index}\ntimeout = 300\nretries = 0\n")
        yield server


FETCH = """
import sys
from pathlib import Path
from lib.data.io import packages
from lib.data.pretrained import PARTS
packages.get(PARTS["mtcnn"], Path(sys.argv[1]))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_pip_ends_with_the_call_that_is_killed_and_the_next_one_sweeps(part, wheel, silent, tmp_path, number):
    root = tmp_path / "data"
    surroundings = {**os.environ, "PYTHONPATH": str(Path(packages.__file__).parents[3])}
    with subprocess.Popen([sys.executable, "-c", FETCH, str(root)], env=surroundings) as call:
        connection, _ = silent.accept()
        with connection:
            connection.settimeout(60)
            assert b"facenet" in connection.recv(4096)
            call.send_signal(number)
            assert call.wait(60) == -number
            assert connection.recv(4096) == b""  # pip has gone, too
    assert len(list(root.glob(".package.*"))) == 1
    Path(os.environ["PIP_CONFIG_FILE"]).write_text(f"[global]\nno-index = true\nfind-links = {wheel.parent}\n")
    packages.get(part, root)
    assert list(root.iterdir()) == [root / "parts"]


def test_what_a_killed_call_left_goes_even_if_nothing_is_to_be_fetched(part, tmp_path):
    packages.get(part, tmp_path / "data")
    (tmp_path / "data/.package.dead/wheel").mkdir(parents=True)
    assert packages.get(part, tmp_path / "data") == []
    assert list((tmp_path / "data").iterdir()) == [tmp_path / "data/parts"]


def test_a_living_call_keeps_what_it_has_and_the_other_one_waits_for_it(part, tmp_path, monkeypatch):
    root, begun, go_on, said, fetched = tmp_path / "data", threading.Event(), threading.Event(), [], []
    unpack = packages._unpack

    def slow(*given):
        begun.set()
        assert go_on.wait(60)
        unpack(*given)

    monkeypatch.setattr(packages, "_unpack", slow)
    first = threading.Thread(target=lambda: fetched.append(packages.get(part, root)))
    first.start()
    assert begun.wait(60)

    def say(line: str) -> None:
        said.append(line)
        assert list(root.glob(".package.*/wheel/*.whl"))
        go_on.set()

    assert packages.get(part, root, say=say) == []  # the other one has fetched it
    first.join()
    assert said == ["tiny: waiting for another call that fetches a package"] and len(fetched[0]) == 2


def test_an_index_that_is_not_reached_is_told_as_that(part, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
    Path(os.environ["PIP_CONFIG_FILE"]).write_text(f"[global]\nindex-url = {index}\nretries = 1\n")
    with pytest.raises(InputError, match=r"tiny-part 1\.0: no network, or the package index does not answer; connect"):
        packages.get(part, tmp_path / "data")


def test_an_interruption_is_told_and_what_it_costs(part, tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(packages.subprocess, "run", interrupted)
    said = []
    with pytest.raises(KeyboardInterrupt):
        packages.get(part, tmp_path / "data", say=said.append)
    assert said[-1] == "tiny: a package is not fetched in parts; the next call starts it anew"
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("stop", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interruption_leaves_nothing(part, tmp_path, monkeypatch, stop):
    def copy(source, sink, length):
        sink.write(source.read(5))
        raise stop

    monkeypatch.setattr(shutil, "copyfileobj", copy)
    expected = InputError if isinstance(stop, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as stopped:
        packages.get(part, tmp_path / "data")
    if isinstance(stop, OSError):
        assert "a.bin: cannot be used: No space left on device; free some space" in str(stopped.value)
    assert left(tmp_path / "data") == []


def test_every_part_is_pinned():
    assert set(PARTS) == {"glove_6b_50d", "minilm", "mtcnn"}
    for part in PARTS.values():
        assert len(part.sha256) == 64
        assert part.files
        assert all(len(file.sha256) == 64 and file.size > 0 for file in part.files)
