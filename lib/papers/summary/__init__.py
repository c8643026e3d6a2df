"""All result folders side by side, as a notebook and as the page `results/index.html`: parameters."""

from typing import ClassVar

from pydantic import Field

from lib.params import Parameters


class Summary(Parameters):
    """`params/summary/<run>.yaml`."""

    reads_results: ClassVar[bool] = True
    grid: ClassVar[bool] = False

    stand_ins: bool = Field(True, description="whether runs on stand-in data are listed")


NOTEBOOKS = {"summary": Summary}
