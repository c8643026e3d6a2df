"""What a careful colleague says of a corpus before anybody trains on it: counts, balance, holes, and leaks."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from lib.data.own.declaration import Declaration
from lib.data.own.parts import Part, a_few_rows

_SHOWN = 3
_LEAK = "what is learned of the one tells the other"


def told(about: Declaration, parts: Mapping[str, Part]) -> list[str]:
    """Lines about the samples, the labels and each modality of each split; then what needs attention, with a `!`."""
    lines = [f"{about.label}: {about.task} of {', '.join(about.labels)}; licence: {about.licence}"]
    for split, part in parts.items():
        lines.append(f"{split}: {len(part)} samples{_units(about, part)}; {_labels(about, part.labels)}")
    for modality in parts["train"].features:
        lines += [f"{modality}, {split}: {_features(part, modality)}" for split, part in parts.items()]
    return lines + [f"! {line}" for line in attention(about, parts)]


def attention(about: Declaration, parts: Mapping[str, Part]) -> Iterator[str]:
    """What may spoil a result, one sentence each."""
    for split, part in parts.items():
        for modality, x in part.features.items():
            yield from _holes(split, modality, x)
        yield from _truncated(split, part)
        if len(twice := [key for key, times in Counter(part.ids).items() if times > 1]):
            yield f"{split}: {len(twice)} ids stand twice, as {_few(twice)}"
        yield from _label_faults(about, split, part.labels)
    yield from _shared(parts, lambda part: part.ids, "ids")
    if all(part.units is not None for part in parts.values()):
        yield from _shared(parts, lambda part: part.units, f"{about.unit}s")
    elif about.unit != "utterance":
        yield f"the unit is {about.unit}, but no split names its units: intervals will take utterances as independent"
    yield from _copies(parts)


def _units(about: Declaration, part: Part) -> str:
    return "" if part.units is None else f" of {len(set(part.units))} {about.unit}s"


def _labels(about: Declaration, labels: np.ndarray) -> str:
    if about.task == "regression":
        low, mean, high = np.nanmin(labels), np.nanmean(labels), np.nanmax(labels)
        return f"labels from {low:.4g} to {high:.4g}, mean {mean:.4g}"
    classes = labels.ndim == 1
    counts = [int((labels == k).sum() if classes else labels[:, k].sum()) for k in range(len(about.labels))]
    shares = [count / max(len(labels), 1) for count in counts]
    return ", ".join(f"{n} {c} ({share:.0%})" for n, c, share in zip(about.labels, counts, shares, strict=True))


def _features(part: Part, modality: str) -> str:
    x, lengths = part.features[modality], part.lengths
    steps = f"{x.shape[1]} steps, lengths {lengths.min()} to {lengths.max()}, median {np.median(lengths):g}; "
    return f"width {x.shape[2]}; {steps if x.shape[1] > 1 else ''}{x.dtype}"


def _holes(split: str, modality: str, x: np.ndarray) -> Iterator[str]:
    """NaN and infinities, samples that are all zero, and columns that never change."""
    bad, touched, empty = Counter(), 0, 0
    low, high = np.full(x.shape[2], np.inf), np.full(x.shape[2], -np.inf)
    for rows in a_few_rows(x):
        finite = np.isfinite(rows)
        if not finite.all():
            kinds = {"NaN": np.isnan, "-inf": np.isneginf, "inf": np.isposinf}
            bad += Counter({kind: int(of(rows).sum()) for kind, of in kinds.items()})
            touched += int((~finite).any(axis=(1, 2)).sum())
        empty += int((~(rows != 0).any(axis=(1, 2))).sum())
        low = np.minimum(low, np.where(finite, rows, np.inf).min(axis=(0, 1)))
        high = np.maximum(high, np.where(finite, rows, -np.inf).max(axis=(0, 1)))
    if bad:
        what = ", ".join(f"{count} {name}" for name, count in bad.items() if count)
        yield f"{split} {modality}: {what} in {touched} samples; refused unless a run sets `nonfinite: zero`"
    if empty:
        yield f"{split} {modality}: {empty} of {len(x)} samples are zero throughout"
    if constant := int((low >= high).sum()):
        yield f"{split} {modality}: {constant} of {x.shape[2]} columns never change"


def _truncated(split: str, part: Part) -> Iterator[str]:
    """Many samples at exactly the greatest length were cut."""
    steps = max(x.shape[1] for x in part.features.values())
    full = int((part.lengths == steps).sum())
    if steps > 1 and len(part) >= 20 and full > 0.05 * len(part) and len(set(part.lengths.tolist())) > 1:
        yield f"{split}: {full} of {len(part)} samples have the greatest length, {steps} steps: longer ones were cut"


def _label_faults(about: Declaration, split: str, labels: np.ndarray) -> Iterator[str]:
    if labels.dtype.kind == "f" and (missing := int((~np.isfinite(labels)).sum())):
        yield f"{split}: {missing} labels are NaN or infinite, which is refused"
    if about.scale is not None:
        low, high = about.scale.limits
        if outside := int(((labels < low) | (labels > high)).sum()):
            yield f"{split}: {outside} labels outside {low:g} to {high:g}, which is refused"
    elif about.task == "classes":
        if strange := int(((labels < 0) | (labels >= len(about.labels))).sum()):
            yield f"{split}: {strange} labels outside 0 to {len(about.labels) - 1}, which is refused"
        elif absent := [name for k, name in enumerate(about.labels) if not (labels == k).any()]:
            yield f"{split}: no sample of {', '.join(absent)}"
    elif absent := [name for name, column in zip(about.labels, labels.T, strict=True) if not column.any()]:
        yield f"{split}: no sample shows {', '.join(absent)}"


def _shared(parts: Mapping[str, Part], of, what: str) -> Iterator[str]:
    names = list(parts)
    for k, first in enumerate(names):
        for second in names[k + 1 :]:
            if both := sorted(set(of(parts[first])) & set(of(parts[second]))):
                yield f"{len(both)} {what} stand in {first} and in {second}, as {_few(both)}: {_LEAK}"


def _copies(parts: Mapping[str, Part]) -> Iterator[str]:
    """Samples whose features are the same in every modality, within a split and across splits; empty ones aside."""
    first: dict[bytes, tuple[str, int]] = {}
    found: Counter[tuple[str, str]] = Counter()
    shown: dict[tuple[str, str], str] = {}
    for split, part in parts.items():
        for row in range(len(part)):
            digest, some = hashlib.blake2b(digest_size=16), False
            for x in part.features.values():
                values = np.ascontiguousarray(x[row])
                digest.update(values)
                some = some or bool(values.any())
            if not some:
                continue
            where = first.setdefault(digest.digest(), (split, row))
            if where != (split, row):
                pair = (where[0], split)
                found[pair] += 1
                shown.setdefault(pair, f"{parts[where[0]].ids[where[1]]} and {part.ids[row]}")
    for (one, other), count in found.items():
        example = shown[one, other]
        if one == other:
            yield f"{one}: {count} samples are copies of others, as {example}"
        else:
            yield f"{count} samples in {other} are copies of samples in {one}, as {example}: {_LEAK}"


def _few(names) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + more
