"""An exported model read back. Nothing in its folder is code: `model.json` is checked, weights are safetensors.

from lib.export.loading import load_trained

model = load_trained("results/NOTEBOOK/RUN/exported/MODEL")
table = model.predict("my_corpus")  # a folder with corpus.yaml, or one table or array file of utterances
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from lib.data.io.impostors import refuse
from lib.errors import InputError
from lib.export import about as description
from lib.export.about import ABOUT, WEIGHTS, About
from lib.export.inputs import Utterances, fitted, from_path
from lib.export.prediction import table_of
from lib.models.own import OwnModel
from lib.training.recipe import ModelSpec
from lib.training.trained import Trained


@dataclass(frozen=True)
class ExportedModel:
    """A network, ready to be asked, and what there is to know of it. Its answers are computed on `device`."""

    about: About
    network: nn.Module
    device: torch.device

    def predict(self, given: Path | str | Utterances, split: str = "test") -> pd.DataFrame:
        """One row per utterance, the columns being those of `lib.export.prediction`.

        `given` is a corpus folder, of which `split` is read, or a single table or array file. Raises InputError for
        what cannot be read, and for modalities, widths or steps that are not the model's.
        """
        utterances = given if isinstance(given, Utterances) else from_path(Path(given), split)
        asked = self.asked(utterances)
        return table_of(self.about, utterances.ids, lambda present: self._outputs(asked, present))

    def outputs(self, utterances: Utterances) -> Float[np.ndarray, "utterances outputs"]:
        """Raw outputs, of the type that it was trained in. Raises InputError as `predict`."""
        return self._outputs(self.asked(utterances), frozenset(self.about.reads))

    def asked(self, utterances: Utterances) -> Trained:
        """The network with these utterances as the split that it is asked about. Raises InputError as `predict`."""
        examples = fitted(self.about, utterances, dtype=self.about.recipe.dtype, device=self.device)
        return Trained(
            name=self.about.variant,
            seed=self.about.seed,
            modalities=self.about.reads,
            model=self.network,
            recipe=self.about.recipe,
            split=examples.only(self.about.reads),
            score=_no_score,
            encoders=self.about.network.encoders,
        )

    def _outputs(self, asked: Trained, present: frozenset[str]) -> np.ndarray:
        absent = {m: True for m in self.about.reads if m not in present}
        try:
            found = asked.outputs(absent)
        except (RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
            line = next(iter(str(error).splitlines()), type(error).__name__)
            raise InputError(f"the network cannot read these utterances ({line})", where=self.about.name) from None
        if found.shape[1:] != (len(self.about.labels),):
            what = f"{found.shape[1:]} outputs for {len(self.about.labels)} labels"
            raise InputError(what, where=f"{self.about.name}, {ABOUT}")
        return found


def load_trained(path: Path | str, device: str = "cpu") -> ExportedModel:
    """The model that `run_all.sh export` wrote to the folder `path`, on "cpu" or "cuda".

    Raises InputError, one line, for a folder that is damaged or something else, and a device that is not there.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, todo="give the folder of an exported model")
    about = description.read(folder)
    place = usable(device)
    return ExportedModel(about, built(about, _weights(folder / WEIGHTS), folder).to(place), place)


def usable(device: str) -> torch.device:
    """Raises InputError for what is no device of this machine."""
    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"no device {device!r} here ({next(iter(str(error).splitlines()), '')})") from None
    return found


def built(about: About, weights: Mapping[str, Tensor], where: object) -> nn.Module:
    """The network with these weights, on the CPU, in evaluation mode.

    It is first built without memory, so that a description whose network is larger than the weights costs nothing.
    Raises InputError for a description that no network can be made from, and weights that are not its own.
    """
    spec = ModelSpec(about.network.name, about.network.arguments)
    _refuse_elsewhere(spec, where)
    layers = spec.arguments.get("layers")
    if isinstance(layers, int) and layers > len(weights):  # each has one: as many as are asked for would be made
        raise InputError(f"{layers} layers, but {len(weights)} weights", where=where)
    with torch.device("meta"):
        wanted = _made(spec, where).to(about.recipe.dtype).state_dict()
    _refuse_others(wanted, weights, where)
    with torch.random.fork_rng(devices=[]):  # initial weights are drawn, and replaced
        network = _made(spec, where).to(about.recipe.dtype)
    network.load_state_dict(dict(weights))
    modules = {name for name, _ in network.named_modules()}
    if strange := [name for name in about.network.encoders.values() if name not in modules or not name]:
        raise InputError(f"encoders names {strange[0]!r}, which the network does not have", where=where)
    return network.eval()


def _refuse_elsewhere(spec: ModelSpec, where: object) -> None:
    """Raises InputError for a name that is not that of a network defined in a file of `lib.models`; only such a file is
    imported. Those of `own.py` would run a file that their arguments name, and are refused as well."""
    module, _, name = spec.name.partition(":")
    found = importlib.util.find_spec(spec.module) if module.isidentifier() else None
    if found is not None and found.submodule_search_locations is None:
        architecture = getattr(import_module(spec.module), name, None)
        is_network = isinstance(architecture, type) and issubclass(architecture, nn.Module)
        if is_network and architecture.__module__ == spec.module and not issubclass(architecture, OwnModel):
            return
    raise InputError(f"no network {spec.name!r} in lib.models", where=where)


def _made(spec: ModelSpec, where: object) -> nn.Module:
    try:
        return spec.build()
    except Exception as error:  # the arguments are a stranger's: whatever they provoke means the same to the user
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"no network can be made from its arguments ({line})", where=where) from None


def _weights(path: Path) -> dict[str, Tensor]:
    refuse(path)
    try:
        with safe_open(path, framework="pt") as archive:
            return {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118 (not a mapping)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"not complete safetensors weights ({error})", where=path) from None


def _refuse_others(wanted: Mapping[str, Tensor], weights: Mapping[str, Tensor], where: object) -> None:
    """Raises InputError for weights that lack, are too many, of another shape or type, or not finite."""
    if missing := [name for name in wanted if name not in weights]:
        raise InputError(f"the weights lack {missing[0]}", where=where)
    if strange := [name for name in weights if name not in wanted]:
        raise InputError(f"the weights hold {strange[0]}, which the network does not have", where=where)
    for name, tensor in weights.items():
        if (tensor.shape, tensor.dtype) != (wanted[name].shape, wanted[name].dtype):
            found, expected = (f"{x.dtype} {tuple(x.shape)}".removeprefix("torch.") for x in (tensor, wanted[name]))
            raise InputError(f"the weight {name} is {found}, expected {expected}", where=where)
        if not tensor.isfinite().all():
            raise InputError(f"the weight {name} holds NaN or infinity", where=where)


def _no_score(outputs: np.ndarray) -> float:
    raise ValueError("the labels of these utterances are not known")
