"""A folder of a released ALBERT without the package that reads its vocabulary."""

import sys

import pytest

from lib.data.recordings import albert_folder
from lib.errors import InputError


def test_a_missing_package_names_the_extra_that_brings_it(tmp_path, monkeypatch):
    (tmp_path / albert_folder.TOKENS).write_text("{}")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(InputError, match=r"tokenizers is not installed; .*the extra `albert` of pyproject\.toml"):
        albert_folder.tokenizer(tmp_path, 100)
