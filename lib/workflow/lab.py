"""`run_all.sh lab`: JupyterLab in the workspace, for this machine's user only.

Its notebooks run as in a batch run: this very Python, from the top of the workspace, with the workspace's `lib`. The
user's own configuration of Jupyter, which may name what this environment does not have, is left alone
(lib/workflow/surroundings.py); what is set in this JupyterLab is kept below `.reprise/`.
"""

import argparse
import os
import secrets
from pathlib import Path

from lib.errors import InputError
from lib.files import write_json
from lib.workflow.runs import ROOT
from lib.workflow.surroundings import enter, python_command


def lab(given: argparse.Namespace) -> int:
    """Serve until stopped. `given.rest` are further arguments of JupyterLab, which set neither address nor token.

    traitlets refuses an option that is given twice, so the access stays as it is. Raises InputError for root who
    does not say so, as Jupyter refuses that.
    """
    rest = given.rest
    serves = not {"--version", "--help-all"} & set(rest)
    if serves and os.geteuid() == 0 and not any("allow" in argument and "root" in argument for argument in rest):
        raise InputError("JupyterLab does not start as root unasked", todo="./run_all.sh lab -- --allow-root")
    from jupyterlab.labapp import LabApp

    enter()
    register_kernel(Path(os.environ["JUPYTER_DATA_DIR"]))
    # In the arguments of this call, not of the process, which every user of the machine can list.
    token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
    access = ["--ServerApp.ip=127.0.0.1", "--ServerApp.allow_remote_access=False", f"--IdentityProvider.token={token}"]
    LabApp.launch_instance([*access, f"--ServerApp.root_dir={ROOT}", *rest])
    return 0


def register_kernel(folder: Path) -> None:
    """Write the kernel `python3`, which the notebooks name, below `folder` (Jupyter's data folder)."""
    kernel = {
        "argv": python_command("lib.workflow.kernel_process", "-f", "{connection_file}"),
        "display_name": "Reprise (Python 3)",
        "language": "python",
        "metadata": {"debugger": True},
    }
    write_json(folder / "kernels" / "python3" / "kernel.json", kernel)
