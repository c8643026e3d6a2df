"""A reference file that no test understands is a failure, not a skip."""

import importlib

from tests.parity.reference import HERE, kind_of, understood


def test_some_test_understands(golden_path):
    for module in sorted(HERE.glob("test_*.py")):
        importlib.import_module(f"tests.parity.{module.stem}")
    found = kind_of(golden_path)
    assert found is not None, f"{golden_path} is not a readable npz file with a `kind`"
    assert found in understood, f"no parity test understands topic {found[0]!r}, kind {found[1]!r}"
