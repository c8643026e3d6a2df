"""Download of the public corpora: resumed after any interruption, and checked before a file takes its name.

What has arrived stands in `<file>.part` beside the target. The next attempt asks the server for the rest
only, also in another process and on another day: the content is pinned, so the rest cannot have changed.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
from filelock import FileLock, Timeout
from requests import exceptions
from tqdm import tqdm

from lib.data.catalogue import (
    CATALOGUE,
    KnownCorpus,
    PublicCorpus,
    PublicFile,
    RestrictedCorpus,
    is_lfs_pointer,
)
from lib.errors import InputError

GITHUB = "https://raw.githubusercontent.com"
BLOCK = 1 << 14  # bytes; also what a cut connection costs at most
WORTH_RETRYING = (exceptions.ConnectionError, exceptions.Timeout, exceptions.ChunkedEncodingError)
BUSY = {429, 500, 502, 503, 504}
Say = Callable[[str], None]


class Unreachable(InputError):
    """The server gives no answer; asking it for the next file is pointless."""


@dataclass(frozen=True)
class Patience:
    """How long to try. A failed attempt counts only if it brought no new byte.

    `attempts` in a row may fail; the first pause lasts `pause` seconds and each further one twice as long;
    `timeout` is the longest silence (seconds) when connecting and when waiting for the next bytes.
    """

    attempts: int = 5
    pause: float = 1.0
    timeout: tuple[float, float] = (10.0, 60.0)


PATIENCE = Patience()


def mirror() -> str:
    """The server to ask: raw.githubusercontent.com, or `REPRISE_MIRROR`, which must be laid out alike."""
    address = os.environ.get("REPRISE_MIRROR", "").rstrip("/") or GITHUB
    if urlsplit(address).scheme not in ("http", "https"):
        raise InputError(f"{address!r} is no http(s) address", where="REPRISE_MIRROR")
    return address


def find(name: str, catalogue: Mapping[str, KnownCorpus] = CATALOGUE) -> KnownCorpus:
    """Look a corpus up; InputError with the known names if there is none of this name."""
    if name not in catalogue:
        raise InputError(f"unknown corpus {name!r}", todo=f"known: {', '.join(catalogue)}")
    return catalogue[name]


def get(
    name: str,
    root: Path,
    *,
    catalogue: Mapping[str, KnownCorpus] = CATALOGUE,
    patience: Patience = PATIENCE,
    say: Say = lambda line: None,
) -> list[Path]:
    """Download what `root` lacks of the corpus `name`; return the files that were fetched.

    Files that are there and sound cost no request, damaged ones are replaced. A second process working on the
    same root waits for the first. `say` receives one line per step.

    Raises InputError for an unknown or restricted corpus, a stand-in in its place, a file the server does not
    have, content that is not the pinned one, and a folder that cannot be written; Unreachable when the server
    stays silent.
    """
    corpus = find(name, catalogue)
    if isinstance(corpus, RestrictedCorpus):
        raise InputError(
            "restricted, cannot be downloaded",
            where=name,
            todo=f"./run_all.sh data get {name} says how to obtain it",
        )
    root = root.absolute()
    try:
        if not _needed(corpus, root):
            return []
        server = mirror()
        root.mkdir(parents=True, exist_ok=True)
        with _only_process(root, say), requests.Session() as session:
            needed = _needed(corpus, root)  # again: the process that held the lock may have fetched them
            for number, file in enumerate(needed, start=1):
                if (root / file.path).exists():
                    say(f"{file.path} is damaged and will be fetched again")
                    (root / file.path).unlink()
                say(f"{name} {number}/{len(needed)}: {file.path}")
                _Download(file, file.part(root), session, patience, say).fetch(file.url(server), root / file.path)
    except exceptions.RequestException as error:
        raise InputError(f"download failed: {_reason(error)}", where=name) from error
    except OSError as error:
        raise unusable(error, root, "; what has arrived is kept") from error
    return [root / file.path for file in needed]


def _needed(corpus: PublicCorpus, root: Path) -> list[PublicFile]:
    survey = corpus.survey(root)
    if survey.stand_in:
        raise InputError(
            "belongs to a stand-in corpus, which a download would overwrite",
            where=root / survey.stand_in[0],
            todo="choose another folder with --root or REPRISE_DATA, or remove the stand-in",
        )
    return [file for file in corpus.files if file.path not in survey.sound]


@contextmanager
def _only_process(root: Path, say: Say) -> Iterator[None]:
    lock = FileLock(root / ".fetch.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"another process is downloading to {root}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class _Download:
    """Of one file: fill `part`, check it, and only then give it its name."""

    file: PublicFile
    part: Path
    session: requests.Session
    patience: Patience
    say: Say

    def fetch(self, url: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        leftover = self._received() > 0
        if not leftover or self.file.fault(self.part):
            self._receive_all(url)
        fault = self.file.fault(self.part)
        if fault and leftover:  # perhaps the fault is in the bytes found here: once more, from the start
            self.part.unlink()
            self._receive_all(url)
            fault = self.file.fault(self.part)
        if fault:
            raise self._refuse(fault, url)
        self.part.replace(target)

    def _refuse(self, fault: str, url: str) -> InputError:
        todo = "nothing of it was kept; the server or a proxy on the way sends something else"
        if is_lfs_pointer(self.part):
            clone = f"a clone of {self.file.repository} at {self.file.commit}"
            todo = f"run `git lfs pull` in {clone} and copy the file to {self.part.with_suffix('')}"
        self.part.unlink()
        return InputError(f"what {url} sends {fault}", where=self.file.path, todo=todo)

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _receive_all(self, url: str) -> None:
        server = urlsplit(url).netloc
        failures, furthest = 0, self._received()
        while True:
            try:
                self._receive_rest(url)
                return
            except exceptions.SSLError as error:
                raise Unreachable(
                    f"no secure connection: {_reason(error)}",
                    where=server,
                    todo="behind a proxy with its own certificate set REQUESTS_CA_BUNDLE",
                ) from error
            except WORTH_RETRYING as error:
                failures = failures + 1 if self._received() <= furthest else 0
                furthest = max(furthest, self._received())
                if failures >= self.patience.attempts:
                    raise Unreachable(
                        f"gave up on {self.file.path} after {failures} attempts: {_reason(error)}",
                        where=server,
                        todo="check the network or set REPRISE_MIRROR; the next call continues from here",
                    ) from error
                pause = self.patience.pause * 2 ** max(failures - 1, 0)
                self.say(f"{self.file.path}: {_reason(error)}; trying again in {pause:g} s")
                time.sleep(pause)

    def _receive_rest(self, url: str) -> None:
        offset = self._received()
        headers = {"Accept-Encoding": "identity"}  # ranges count encoded bytes, so nothing may be encoded
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self.session.get(url, headers=headers, stream=True, timeout=self.patience.timeout) as answer:
            status = answer.status_code
            sent_range = answer.headers.get("Content-Range", "")
            continued = status == 206 and sent_range.startswith(f"bytes {offset}-")
            if offset and status in (206, 416) and not continued:
                self.part.unlink()
                self._receive_rest(url)
                return
            if status in BUSY:
                raise exceptions.ConnectionError(f"the server is busy (HTTP {status})")
            if not continued and status != 200:
                raise InputError(
                    f"{url} answers HTTP {status} {answer.reason}",
                    where=self.file.path,
                    todo="if it was moved, set REPRISE_MIRROR to a server that has it, or copy it by hand",
                )
            start = offset if continued else 0
            length = answer.headers.get("Content-Length")
            with (
                self.part.open("ab" if continued else "wb") as handle,
                tqdm(
                    desc=self.part.stem,
                    initial=start,
                    total=start + int(length) if length else None,
                    unit="B",
                    unit_scale=True,
                    # Shown on a terminal only, and one that can rewrite a line.
                    disable=True if os.environ.get("TERM", "dumb") == "dumb" else None,
                ) as bar,
            ):
                for block in answer.iter_content(BLOCK):
                    handle.write(block)
                    bar.update(len(block))
                handle.flush()
                os.fsync(handle.fileno())


def _reason(error: BaseException) -> str:
    """The innermost cause of a failed request, without what requests and urllib3 wrap around it."""
    causes = (getattr(error, "reason", None), *error.args)
    cause = next((cause for cause in causes if isinstance(cause, BaseException)), None)
    return _reason(cause) if cause else str(error).rpartition("): ")[2]


def unusable(error: OSError, root: Path, more: str = "") -> InputError:
    """What is said of a data folder that cannot be written; `more` follows the advice for a full disk."""
    todo = "choose another folder with --root or REPRISE_DATA"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        todo = f"free some space or {todo}{more}"
    return InputError(f"cannot be used: {error.strerror or error}", where=error.filename or root, todo=todo)
