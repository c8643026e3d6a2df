"""Parameters of the notebook over all result folders."""

from typing import ClassVar

from pydantic import Field

from lib.params.base import Parameters


class Summary(Parameters):
    """`params/summary/<run>.yaml`."""

    reads_results: ClassVar[bool] = True

    stand_ins: bool = Field(True, description="whether runs on stand-in data are listed")
