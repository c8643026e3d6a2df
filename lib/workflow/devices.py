"""Several GPUs of one machine: each process of a workflow takes a free one for itself."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lib.workflow.process import Busy, locked
from lib.workflow.runs import ROOT

LOOK_AGAIN_S = 0.5


@contextmanager
def one_device(devices: str) -> Iterator[None]:
    """Hold a free one of `devices` ("0,1,2") during the block, as the only GPU that CUDA sees; all, if none is named.

    Waits while all are taken. To be called before CUDA is. The device is free again when this process ends, however it
    ends.
    """
    names = [name for name in devices.split(",") if name]
    if not names:
        yield
        return
    with ExitStack() as held:
        os.environ["CUDA_VISIBLE_DEVICES"] = _take(names, held)
        yield


def _take(names: list[str], held: ExitStack) -> str:
    while True:
        for name in names:
            try:
                held.enter_context(locked(ROOT / ".reprise" / "devices" / f"{name}.lock"))
            except Busy:
                continue
            return name
        time.sleep(LOOK_AGAIN_S)
