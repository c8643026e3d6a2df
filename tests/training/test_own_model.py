"""A model of a person's own: tried first, then trained by any worker as the library's are, and again if it changes."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.errors import InputError
from lib.models.own import architecture
from lib.training import records
from lib.training.engine import jobs
from lib.training.own_model import model_spec
from lib.training.recipe import ModelSpec, ModulationSpec
from lib.training.sweep import member_key, sweep
from lib.training.trainable import refuse_untrainable
from tests.training.small import WIDTHS, corpus, member

GOOD = '''
import torch
from torch import nn


class Mine(nn.Module):
    """Means over the steps, side by side."""

    def __init__(self, widths, outputs, hidden=8):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(sum(widths.values()), hidden), nn.ReLU(), nn.Dropout(0.4), nn.Linear(hidden, outputs)
        )

    def forward(self, **modalities):
        return self.layers(torch.cat([x.mean(dim=1) for x in modalities.values()], dim=1))
'''


@pytest.fixture
def brought(tmp_path):
    def bring(text: str = GOOD, **given) -> ModelSpec:
        path = tmp_path / "mine.py"
        path.write_text(text)
        return model_spec(f"{path}:Mine", WIDTHS, 3, **given)

    return bring


def trained(spec: ModelSpec, folder, **options) -> list[records.Record]:
    members = [replace(member(variant=f"own {rate}", rate=rate), model=spec) for rate in (0.0, 0.5)]
    return sweep(members, corpus(), folder, **options)


def outputs(found: list[records.Record]) -> list[np.ndarray]:
    return [record.outputs["test"] for record in found]


def test_workers_build_it_and_give_the_bits_of_one_process(brought, tmp_path):
    spec = brought()
    alone, together = trained(spec, tmp_path / "one"), trained(spec, tmp_path / "two", cores=2)
    assert all(record.status == "finished" for record in alone + together)
    for one, other in zip(outputs(alone), outputs(together), strict=True):
        assert one.shape == (12, 3)
        np.testing.assert_array_equal(one, other)


def built_elsewhere(spec: ModelSpec) -> int:
    return sum(weights.numel() for weights in spec.build().parameters())


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_that_knows_nothing_of_it_builds_it(brought, method):
    spec = brought(options={"hidden": 2})
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply(built_elsewhere, (spec,)) == 2 * (sum(WIDTHS.values()) + 1) + 3 * (2 + 1)


def weights_of(model: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: weights.numpy() for name, weights in model.state_dict().items()}


def test_a_trained_one_can_be_sent_to_a_process_that_knows_nothing_of_it(brought):
    model = brought().build()
    with torch.no_grad():
        model.model.layers[0].bias += 1
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(weights_of, (model,))
    expected = weights_of(model)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_what_else_the_process_has_drawn_does_not_change_its_dropout(brought, tmp_path):
    spec = brought()
    torch.manual_seed(1)
    first = trained(spec, tmp_path / "first")
    torch.manual_seed(2)
    again = trained(spec, tmp_path / "again")
    plain = trained(brought(GOOD.replace("Dropout(0.4)", "Dropout(0.0)")), tmp_path / "plain")
    for one, other, without in zip(outputs(first), outputs(again), outputs(plain), strict=True):
        np.testing.assert_array_equal(one, other)
        assert not np.array_equal(one, without)


def test_dropout_is_drawn_anew_for_each_minibatch(brought):
    model = brought().build().train()
    inputs = {m: torch.ones(2, 3, width) for m, width in WIDTHS.items()}
    assert not torch.equal(model(**inputs), model(**inputs))


def test_a_changed_file_is_another_training(brought, tmp_path):
    first = trained(brought(), tmp_path / "members")
    again = trained(brought(), tmp_path / "members")
    assert [record.key for record in again] == [record.key for record in first]
    changed = trained(brought(GOOD.replace("nn.ReLU()", "nn.Tanh()")), tmp_path / "members")
    assert not {record.key for record in changed} & {record.key for record in first}
    for one, other in zip(outputs(first), outputs(changed), strict=True):
        assert not np.array_equal(one, other)


def test_the_key_knows_the_library_files_that_it_imports(brought):
    spec = brought("from lib.models.concatenation import Concatenation\n" + GOOD)
    other = replace(spec, arguments={**spec.arguments, "code": dict.fromkeys(spec.arguments["code"], "0" * 64)})
    assert "lib/models/concatenation.py" in spec.arguments["code"]
    keys = [member_key(replace(member(), model=model), "data") for model in (spec, other)]
    assert keys[0] != keys[1]


def test_a_file_that_changes_before_a_worker_reads_it_is_refused(brought, tmp_path):
    spec = brought()
    (tmp_path / "mine.py").write_text(GOOD + "\n")
    architecture.cache_clear()
    with pytest.raises(InputError, match="changed since the training was asked for"):
        spec.build()


def test_it_is_trained_alone_and_looked_at_as_the_librarys_are(brought):
    own = replace(member(), model=brought(GOOD.replace("nn.ReLU()", "nn.BatchNorm1d(hidden)")))
    assert [job.stacked for job in jobs([own, replace(own, seed=1)], "cuda")] == [False, False]
    refuse_untrainable([own], corpus())
    rest = replace(own, recipe=replace(own.recipe, batch_size=29, drop_last=False))
    with pytest.raises(InputError, match="leave a last batch of one"):
        refuse_untrainable([rest], corpus())


LAYERS = "self.layers = nn.Sequential("
HEAD, FORWARD = "self.layers(torch", "    def forward(self, **modalities):\n"
REFUSED = {
    "raise ValueError('no')": ("import torch", "raise ValueError('no')", "running it ends in ValueError: no"),
    "exit": ("import torch", "raise SystemExit(3)", "running it ends in SystemExit: 3"),
    "no module": ("(nn.Module)", "(dict)", "Mine is no torch.nn.Module"),
    "constructor": (", hidden=8)", ", hidden)", "its constructor fails with widths, outputs and the options given"),
    "no parameters": (LAYERS, "self.layers = nn.Flatten()\n        nn.Sequential(", "has no parameters to train"),
    "frozen": ("    def forward", "        self.requires_grad_(False)\n\n    def forward", "no parameters to train"),
    "lazy": ("nn.Linear(hidden, outputs)", "nn.LazyLinear(outputs)", "has no size before the first input"),
    "strange weights": (
        "    def forward",
        "        import numpy\n        self.layers[0].bias.data[0] = numpy.random.rand()\n\n    def forward",
        "one seed gives other initial weights each time (layers.0.bias)",
    ),
    "no video": ("**modalities", "text, audio", "forward(text, audio, video) fails: TypeError"),
    "one output": ("nn.Linear(hidden, outputs)", "nn.Linear(hidden, 1)", "forward returns float32 (4, 1), expected"),
    "squeezed": ("dim=1))\n", "dim=1))[:, 0]\n", "forward returns float32 (4,), expected float (4, 3)"),
    "a pair": ("dim=1))\n", "dim=1)), 1\n", "forward returns a tuple"),
    "a class": ("dim=1))\n", "dim=1)).argmax(1, keepdim=True).expand(-1, 3)\n", "forward returns int64 (4, 3)"),
    "NaN": (HEAD, "float('nan') * self.layers(torch", "forward returns NaN or infinity"),
    "NaN of zeros": ("x.mean(dim=1)", "x.mean(dim=1) / x.std()", "NaN or infinity where text is absent"),
    "chance": (HEAD, "torch.rand(1) + self.layers(torch", "other answers each time in evaluation mode"),
    "in place": (FORWARD, FORWARD + "        modalities['text'] += 1\n", "changes its input text in place"),
    "batch": ("x.mean(dim=1)", "x.mean(dim=1).cumsum(dim=0)", "depends on the others in its batch"),
    "batch first": (
        "nn.Linear(sum(widths.values()), hidden)",
        "nn.Identity(), Recurrent(sum(widths.values()), hidden)",
        "depends on the others in its batch",
    ),
    "numpy": (
        FORWARD,
        FORWARD + "        import numpy\n        if self.training:\n"
        "            modalities['text'] = modalities['text'] * numpy.random.rand()\n",
        "one seed gives other outputs each time in training mode",
    ),
    "detached": ("dim=1))\n", "dim=1)).detach()\n", "its outputs have no gradient"),
    "unused": (
        "        self.layers =",
        "        self.head = nn.Linear(2, 2)\n        self.layers =",
        "no gradient reaches",
    ),
    "flat": (HEAD, "0 * self.layers(torch", "every gradient is zero"),
    "steep": ("nn.ReLU()", "Root()", "the gradient of layers.0.weight is not finite"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_training_could_bear_is_refused_in_one_line(brought, name):
    old, new, said = REFUSED[name]
    root = "class Root(nn.Module):\n    def forward(self, x):\n        return (x * 0).sqrt() * 1.0\n\n\n"
    recurrent = "class Recurrent(nn.LSTM):\n    def forward(self, x):\n        return super().forward(x)[0]\n\n\n"
    assert old in GOOD
    with pytest.raises(InputError) as refusal:
        brought(GOOD.replace(old, new).replace("class Mine", f"{root}{recurrent}class Mine"))
    assert said in str(refusal.value)
    assert "mine.py" in str(refusal.value) and "\n" not in str(refusal.value)


def test_steps_of_the_corpus_are_those_of_the_trial(brought):
    fixed = GOOD.replace("x.mean(dim=1)", "x.unflatten(1, (2, 5)).mean(dim=(1, 2))")
    assert brought(fixed, steps=dict.fromkeys(WIDTHS, 10)).arguments["widths"] == WIDTHS
    with pytest.raises(InputError, match=r"forward\(text, audio, video\) fails: RuntimeError"):
        brought(fixed, steps=dict.fromkeys(WIDTHS, 9))


TERMS = (
    GOOD
    + """

class Late(nn.Module):
    def __init__(self, widths, outputs):
        super().__init__()
        self.encoders = nn.ModuleDict({m: nn.Linear(width, 4) for m, width in widths.items()})
        self.heads = nn.ModuleDict({m: nn.Linear(4, outputs) for m in widths})
        self.dropout = nn.Dropout(0.3)

    def forward(self, **modalities):
        return self.by_modality(**modalities)[0]

    def by_modality(self, **modalities):
        own = {m: self.heads[m](self.dropout(self.encoders[m](x.mean(dim=1)))) for m, x in modalities.items()}
        return sum(own.values()), own

    def encoder_parameters(self):
        return {m: list(encoder.parameters()) for m, encoder in self.encoders.items()}
"""
)
TOTAL = "        return sum(own.values()), own"
ENCODERS = "return {m: list(encoder.parameters()) for m, encoder in self.encoders.items()}"
WRONG_TERMS = {
    "other outputs": ("(**modalities)[0]", "(**modalities)[0] * 2", "by_modality gives other outputs than forward"),
    "no terms": (TOTAL, "        return sum(own.values()), 1", "by_modality(text, audio, video) fails"),
    "too few": (
        TOTAL,
        "        del own['video']\n" + TOTAL,
        "by_modality gives terms {'text': (4, 3), 'audio': (4, 3)}",
    ),
    "narrow": (TOTAL, "        return sum(own.values()), {m: x[:, :1] for m, x in own.items()}", "gives terms"),
    "no sum": (TOTAL, "        return sum(own.values()), {m: x + 1 for m, x in own.items()}", "do not add up"),
    "mixed": (
        TOTAL,
        "        shift = own['text'] ** 2\n        own['text'] = own['text'] - shift\n"
        "        own['audio'] = own['audio'] + shift\n" + TOTAL,
        "the term of audio changes with the other modalities",
    ),
    "no parameters": (ENCODERS, "return dict.fromkeys(self.encoders, ())", "gives of text none, or such as are not"),
    "not trained": (ENCODERS, "return {m: [torch.ones(1)] for m in self.encoders}", "not trained parameters"),
    "fails": (ENCODERS, "return self.nothing", "encoder_parameters() fails: AttributeError"),
    "one encoder": (
        ENCODERS,
        "return {'text': list(self.encoders['text'].parameters())}",
        "names text, expected text, ",
    ),
    "shared": (
        ENCODERS,
        "return dict.fromkeys(self.encoders, list(self.parameters()))",
        "parameters of text in encoder_parameters change the terms of other modalities",
    ),
}


def late(folder, text: str = TERMS) -> ModelSpec:
    (folder / "late.py").write_text(text)
    return model_spec(f"{folder}/late.py:Late", WIDTHS, 3)


def test_a_model_that_says_what_each_modality_says_can_be_balanced(tmp_path):
    spec = late(tmp_path)
    balanced = [
        replace(member(variant=name, **recipe), model=spec, modality_dropout=None, evaluate_on=tuple(WIDTHS))
        for name, recipe in (
            ("plain", {}),
            ("losses", {"unimodal_weights": {"text": 1.0}}),
            ("modulated", {"modulation": ModulationSpec(0.5)}),
        )
    ]
    found = sweep(balanced, corpus(), tmp_path / "members")
    assert all(record.status == "finished" for record in found)
    assert len({out.tobytes() for out in outputs(found)}) == 3
    half = late(tmp_path, TERMS.replace("    def encoder_parameters", "    def others"))
    refuse_untrainable([replace(balanced[1], model=half)], corpus())
    with pytest.raises(InputError, match="Late has no encoder per modality"):
        refuse_untrainable([replace(balanced[2], model=half)], corpus())


@pytest.mark.parametrize("name", WRONG_TERMS)
def test_terms_that_are_none_are_refused_in_one_line(tmp_path, name):
    old, new, said = WRONG_TERMS[name]
    assert TERMS.count(old) == 1
    with pytest.raises(InputError) as refusal:
        late(tmp_path, TERMS.replace(old, new))
    assert said in str(refusal.value)
    assert "late.py:Late" in str(refusal.value) and "\n" not in str(refusal.value)
