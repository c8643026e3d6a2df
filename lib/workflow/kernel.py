"""One notebook through papermill, in a kernel of this very Python, and the truth about how it ended.

papermill saves a killed or timed-out cell as completed, so nothing here is read back from the executed notebook's
metadata: the exception tells the end, and the kernel's hooks tell which cell had been started.
"""

import ast
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.utils import run_sync

from lib.errors import Diverged, InputError
from lib.workflow.jobs import Failure, RunFailed
from lib.workflow.process import dismiss, end_with_us, signal_group
from lib.workflow.runs import ROOT
from lib.workflow.surroundings import python_command

STATES = {InputError.__name__: "input_error", Diverged.__name__: "diverged"}
"""How a run ended, by the exception that a cell left with; any other is a `cell_error`."""


class _Manager(AsyncKernelManager):
    """Starts our own process; a kernel's specification could not name paths with braces."""

    ahead: Sequence[str] = ()

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        return python_command(
            "lib.workflow.kernel_process", *self.ahead, "-f", self.connection_file, *(extra_arguments or [])
        )


class Kernel:
    """A kernel and how far its notebook got; nbclient reports through the `on_...` hooks.

    Nothing the user has registered or configured enters: no other kernel of that name, no start-up files. The
    kernel talks over unix sockets, so there are no ports to race for.
    """

    def __init__(self, folder: str, timeout: float, ahead: Sequence[str] = ()):
        os.environ |= {"JUPYTER_RUNTIME_DIR": folder, "IPYTHONDIR": folder}
        self.manager = _Manager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            transport="ipc",
            connection_file=f"{folder}/kernel.json",
        )
        self.manager.ahead = ahead
        self.cell = 0
        self.source = ""
        self.answered = False  # before, it cannot have children of a notebook's
        self._deadline = time.monotonic() + timeout
        self._watcher: subprocess.Popen | None = None

    def start(self) -> None:
        """Let it get ready beside what this process does meanwhile. The history of its input is kept nowhere."""
        run_sync(self.manager.start_kernel)(extra_arguments=["--HistoryManager.hist_file=:memory:"])
        self._watcher = end_with_us(self.manager.provisioner.pgid)

    def on_notebook_start(self, notebook: dict) -> None:
        self.answered = True
        # What is needed afterwards: another second, while the kernel works.
        Thread(target=import_module, args=("lib.workflow.report_page",), daemon=True).start()

    def on_cell_execute(self, cell: dict, cell_index: int) -> None:
        self.cell += 1
        self.source = next(iter(cell["source"].strip().splitlines()), "")

    def seconds_left(self, cell: dict) -> int:
        """The time limit of the next cell: what is left to the whole notebook."""
        return max(1, math.ceil(self._deadline - time.monotonic()))

    def loaded(self) -> list[str]:
        """The modules of `lib` that the kernel holds, asked without a trace in the notebook. Its last question."""
        names = "' '.join(name for name in __import__('sys').modules if name.startswith('lib.'))"
        return run_sync(self._evaluate)(names).split()

    async def _evaluate(self, expression: str) -> str:
        client = self.manager.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
            asked = {"value": expression}
            reply = await client.execute("", silent=True, user_expressions=asked, reply=True, timeout=60)
            return ast.literal_eval(reply["content"]["user_expressions"]["value"]["data"]["text/plain"])
        finally:
            client.stop_channels()

    def ending(self) -> str:
        """How the process of a dead kernel ended."""
        code = self.manager.provisioner.process.poll()
        if code is None or code >= 0:
            return f"ended with exit code {code}"
        out_of_memory = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"was killed by {signal.Signals(-code).name}{out_of_memory}"

    def kill(self) -> None:
        """Kill the kernel and every process it started."""
        provisioner = self.manager.provisioner
        if provisioner and provisioner.pgid:
            signal_group(provisioner.pgid, signal.SIGKILL)
        if self._watcher:
            dismiss(self._watcher)


def _for_sockets() -> str:
    """Where a folder for unix sockets can be made, whose names are limited to about 100 characters."""
    return next((name for name in ("/tmp", "/dev/shm") if os.access(name, os.W_OK | os.X_OK)), tempfile.gettempdir())


@contextmanager
def open_kernel(timeout: float, ahead: Sequence[str] = ()) -> Iterator[Kernel]:
    """A kernel not yet started. After the block it is gone, with every process it started.

    It is not asked to end by itself: that takes up to 2.5 s, and leaves nothing behind that this does not.
    """
    with tempfile.TemporaryDirectory(prefix="reprise-", dir=_for_sockets(), ignore_cleanup_errors=True) as folder:
        kernel = Kernel(folder, timeout, ahead)
        try:
            yield kernel
        finally:
            kernel.kill()


def execute(source: Path, target: Path, parameters: dict, timeout: float, ahead: Sequence[str] = ()) -> list[str]:
    """Run `source` with `parameters` (plain JSON values) within `timeout` seconds; saved cell by cell in `target`.
    `ahead` are the options of `lib.workflow.kernel_process`.

    Returns the modules of `lib` that the kernel had loaded in the end. Raises RunFailed. A kernel that does not start
    is started once more; one that dies later is not.
    """
    try:
        return _in_new_kernel(source, target, parameters, timeout, ahead)
    except RunFailed as failed:
        if failed.failure.state != "start_failed":
            raise
    return _in_new_kernel(source, target, parameters, timeout, ahead)


def _in_new_kernel(source: Path, target: Path, parameters: dict, timeout: float, ahead: Sequence[str]) -> list[str]:
    with open_kernel(timeout, ahead) as kernel:
        kernel.start()
        _execute(kernel, source, target, parameters, timeout)
        return kernel.loaded()


def _execute(kernel: Kernel, source: Path, target: Path, parameters: dict, timeout: float) -> None:
    # A second of work, for which the kernel, which gets ready itself, must not wait. As much again would be the grammar
    # of addresses that jsonschema checks with, where it is installed; nothing in a notebook is declared to be one.
    sys.modules.setdefault("rfc3987_syntax", None)
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        notebook = papermill.execute_notebook(
            _literal(source),
            _literal(target),
            parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cwd=ROOT,
            km=kernel.manager,
            on_notebook_start=kernel.on_notebook_start,
            on_cell_execute=kernel.on_cell_execute,
            timeout_func=kernel.seconds_left,
        )
    except PapermillExecutionError as error:
        if state := STATES.get(error.ename):
            raise _failed(state, error.evalue, kernel) from None
        raise _failed("cell_error", f"{error.ename}: {error.evalue}", kernel) from None
    except DeadKernelError:
        raise _failed("kernel_died", f"the kernel {kernel.ending()}", kernel) from None
    except CellTimeoutError:
        raise _failed("timeout", f"the run took longer than {timeout:g} s", kernel) from None
    except RuntimeError as error:
        if kernel.answered:
            raise
        raise RunFailed(Failure("start_failed", f"the kernel did not start: {error}")) from None
    # `sys.exit()` in a cell ends the notebook, and papermill calls that a success.
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if kernel.cell < len(cells):
        raise _failed("cell_error", "the notebook ended itself before its last cell", kernel)


def _literal(path: Path) -> str:
    """A path in which papermill puts no parameter in place of braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _failed(state: str, message: str, kernel: Kernel) -> RunFailed:
    return RunFailed(Failure(state, " ".join(message.split()), kernel.cell, kernel.source))
