"""What stands around the results of the notebook `end_to_end_sparse`: settings, published numbers, manifest."""

from collections.abc import Sequence

import pandas as pd

from lib.papers.end_to_end import TITLES, Corpora, result_folder, variant
from lib.params.end_to_end import EndToEnd, RandomAlbert
from lib.reporting import manifest, published, published_mme2e
from lib.training.records import Record, engines

_README = {
    "mme2e": (5e-5, 40, 8, 6, None),
    "mme2e_sparse": (5e-5, 40, 2, 6, None),
    "lf_rnn": (5e-4, 60, 32, 8, 2.0),
    "lf_transformer": (5e-4, 60, 32, 8, 2.0),
}
_SIZES = {"channels": (64, 128, 256, 512), "flatten_size": 1024, "width": 64, "layers": 4, "heads": 4, "dropout": 0.1}


def setting_table(p: EndToEnd) -> pd.DataFrame:
    """How each model is trained."""
    rows = [{"model": TITLES[name], **setting.model_dump()} for name, setting in p.models.chosen().items()]
    return pd.DataFrame(rows).astype({"clip_norm": object}).fillna({"clip_norm": "none"})


def text_encoder(p: EndToEnd) -> str:
    """In words; it stands in the manifest as well."""
    given = p.text_encoder
    if isinstance(given, RandomAlbert):
        return (
            f"ALBERT of {given.layers} layers, {given.hidden_size} wide, from random weights (not pretrained); its "
            f"tokenizer hashes words into {given.vocabulary} ids"
        )
    return f"ALBERT from the folder {given.folder}, pretrained"


def deviations(p: EndToEnd) -> list[str]:
    """How a run on real data differs from the published commands."""
    found = [] if not isinstance(p.text_encoder, RandomAlbert) else ["a text encoder from random weights"]
    for name, setting in p.models.chosen().items():
        if p.kind == "iemocap" and tuple(setting.model_dump().values()) != _README[name]:
            found.append(f"{TITLES[name]} trained in another way than by the README's command")
    changed = [name for name, value in _SIZES.items() if getattr(p.encoder, name) != value]
    found += [f"{', '.join(changed)} of the encoder changed"] * bool(changed)
    found += ["other modalities"] * (set(p.modalities) != {"text", "audio", "video"})
    return found + ["no command was published for this corpus"] * (p.kind == "mosei")


def comparison_table(p: EndToEnd, corpora: Corpora, table: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Published and reproduced means over the emotions, and gains over FE2E, judged by `published.VERDICT_RULE`."""
    ours = table[table["change"] == ""]
    real = not corpora.any.source.synthetic
    metrics = ("acc" if p.kind == "iemocap" else "weighted_acc", "f1_positive")
    found = [
        published.compare(
            paper,
            ours,
            metric=metric,
            baseline=published_mme2e.DENSE,
            source=corpora.any.source,
            same_corpus=real,
            deviations=deviations(p) if real else (),
        )
        for metric in metrics
    ]
    return pd.concat(found, ignore_index=True).drop(columns="rate")


def ratio_table(costs: pd.DataFrame, operations: pd.DataFrame) -> pd.DataFrame:
    """The printed share of the dense model's operations beside our nominal and counted ones, by threshold.

    Ratios only, and at other widths than the paper's they are not comparable either: a narrow network's dense part
    weighs more.
    """
    gathered = costs[costs["form"].isin(("gathered", "dense"))]
    ours = gathered[["threshold", "nominal_ratio", "counted_ratio", "seconds_ratio"]]
    merged = operations.merge(ours, on="threshold", how="outer").sort_values("threshold", ignore_index=True)
    return merged.dropna(subset="nominal_ratio", ignore_index=True)


def write_manifest(p: EndToEnd, corpora: Corpora, records: Sequence[Record], seconds: float) -> None:
    """`manifest.json` of the result folder; the text encoder is declared among what chose what."""
    sources = {c.source.name: c.source for c in (corpora.raw, corpora.handcrafted) if c}
    manifest.write_manifest(
        result_folder(p),
        params=p.model_dump(mode="json", exclude={"results", "data_root", "cores"}),
        sources=list(sources.values()),
        seeds=p.seeds,
        engine=engines(records),
        device="cuda" if "cuda" in engines(records) else "cpu",
        selected_on={
            "epoch": "validation F1 at thresholds found on validation (strictly greater)",
            "decision thresholds": "validation",
            "text encoder": text_encoder(p),
            "hyper-parameters": "none (fixed in the YAML)",
        },
        durations={"notebook": seconds, "training, all runs": sum(record.seconds for record in records)},
    )


def main_name(p: EndToEnd) -> str:
    """The sparse model of the main comparison."""
    return variant("mme2e_sparse", p.threshold)
