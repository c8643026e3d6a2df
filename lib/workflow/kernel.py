"""The kernel of one run: this very Python, in a process group that never outlives us."""

import ast
import math
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_core.utils import run_sync

from lib.workflow.process import dismiss, end_with_us, signal_group
from lib.workflow.surroundings import python_command


class _Manager(AsyncKernelManager):
    """Starts our own process; a kernel's specification could not name paths with braces."""

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        return python_command("lib.workflow.kernel_process", "-f", self.connection_file, *(extra_arguments or []))


class Kernel:
    """A kernel and how far its notebook got; nbclient reports through the `on_...` hooks.

    Nothing the user has registered or configured enters: no other kernel of that name, no start-up files. The
    kernel talks over unix sockets, so there are no ports to race for.
    """

    def __init__(self, folder: str, timeout: float):
        os.environ |= {"JUPYTER_RUNTIME_DIR": folder, "IPYTHONDIR": folder}
        self.manager = _Manager(
            kernel_name="python3",
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            transport="ipc",
            connection_file=f"{folder}/kernel.json",
        )
        self.cell = 0
        self.source = ""
        self._deadline = time.monotonic() + timeout
        self._watcher: subprocess.Popen | None = None

    @property
    def answered(self) -> bool:
        """Whether the kernel started and answered; before, it cannot have children either."""
        return self._watcher is not None

    def on_notebook_start(self, notebook: dict) -> None:
        self._watcher = end_with_us(self.manager.provisioner.pgid)

    def on_cell_execute(self, cell: dict, cell_index: int) -> None:
        self.cell += 1
        self.source = next(iter(cell["source"].strip().splitlines()), "")

    def seconds_left(self, cell: dict) -> int:
        """The time limit of the next cell: what is left to the whole notebook."""
        return max(1, math.ceil(self._deadline - time.monotonic()))

    def loaded(self) -> list[str]:
        """The modules of `lib` that the kernel holds, asked without a trace in the notebook."""
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
def open_kernel(timeout: float) -> Iterator[Kernel]:
    """A kernel not yet started. After an orderly block it may clean up behind itself; in any case it is gone."""
    with tempfile.TemporaryDirectory(prefix="reprise-", dir=_for_sockets(), ignore_cleanup_errors=True) as folder:
        kernel = Kernel(folder, timeout)
        try:
            yield kernel
            run_sync(kernel.manager.shutdown_kernel)()
        finally:
            kernel.kill()
