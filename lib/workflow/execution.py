"""One notebook through papermill, and the truth about how it ended.

papermill saves a killed or timed-out cell as completed, so nothing here is read back from the executed notebook's
metadata: the exception tells the end, and the kernel's hooks tell which cell had been started.
"""

from pathlib import Path

import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from lib.errors import Diverged, InputError
from lib.workflow.kernel import Kernel, open_kernel
from lib.workflow.runs import ROOT
from lib.workflow.status import Failure, RunFailed, State

STATES: dict[str, State] = {InputError.__name__: "input_error", Diverged.__name__: "diverged"}
"""How a run ended, by the exception that a cell left with; any other is a `cell_error`."""


def execute(source: Path, target: Path, parameters: dict, timeout: float) -> list[str]:
    """Run `source` with `parameters` (plain JSON values) within `timeout` seconds; saved cell by cell in `target`.

    Returns the modules of `lib` that the kernel had loaded in the end. Raises RunFailed. A kernel that does not start
    is started once more; one that dies later is not.
    """
    try:
        return _in_new_kernel(source, target, parameters, timeout)
    except RunFailed as failed:
        if failed.failure.state != "start_failed":
            raise
    return _in_new_kernel(source, target, parameters, timeout)


def _in_new_kernel(source: Path, target: Path, parameters: dict, timeout: float) -> list[str]:
    with open_kernel(timeout) as kernel:
        _execute(kernel, source, target, parameters, timeout)
        return kernel.loaded()


def _execute(kernel: Kernel, source: Path, target: Path, parameters: dict, timeout: float) -> None:
    try:
        notebook = papermill.execute_notebook(
            source,
            target,
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


def _failed(state: State, message: str, kernel: Kernel) -> RunFailed:
    return RunFailed(Failure(state, " ".join(message.split()), kernel.cell, kernel.source))
