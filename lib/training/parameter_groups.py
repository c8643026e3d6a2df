"""Optimiser groups with learning rates of their own."""

from torch import nn

FUSION = ("fusion_weights", "fusion_bias")


def parameter_groups(model: nn.Module, learning_rate: float, **options: float | bool) -> list[dict]:
    """Groups for `torch.optim`: `text_groups` for a `text_lr_factor`, `factor_groups` for other options."""
    make = text_groups if "text_lr_factor" in options else factor_groups
    return make(model, learning_rate=learning_rate, **options)


def text_groups(model: nn.Module, learning_rate: float, text_lr_factor: float) -> list[dict]:
    """Text encoder, text output layer, and everything else (spec end_to_end, section 6).

    The first two learn `text_lr_factor` times more slowly. A factor of 1 leaves one group, as does a model without
    a text encoder of its own.
    """
    text = dict(model.text_parameters()) if text_lr_factor != 1 and hasattr(model, "text_parameters") else {}
    slow = learning_rate / text_lr_factor
    groups = [
        {"params": [pair for pair in text.items() if not pair[0].startswith("t_out.")], "lr": slow},
        {"params": [pair for pair in text.items() if pair[0].startswith("t_out.")], "lr": slow},
        {"params": [pair for pair in model.named_parameters() if pair[0] not in text], "lr": learning_rate},
    ]
    return [group for group in groups if group["params"]]


def factor_groups(
    model: nn.Module, factor_learning_rate: float, learning_rate: float, legacy: bool = False
) -> list[dict]:
    """Groups for `torch.optim`: LMF's modality factors, and everything else (spec low_rank_fusion, 1.5 and 6).

    Parameters come as `(name, parameter)` pairs, so the optimiser keeps the names as `param_names`. `legacy`
    leaves the rank weights and the bias of the fusion at their initial values, as the scripts did before
    April 2020 (spec low_rank_fusion, quirk 1). A model without factors, such as TFN, has one group.
    """
    factors, others = [], []
    for name, parameter in model.named_parameters():
        if legacy and name in FUSION:
            continue
        (factors if name.endswith("_factor") else others).append((name, parameter))
    groups = [{"params": factors, "lr": factor_learning_rate}, {"params": others, "lr": learning_rate}]
    return [group for group in groups if group["params"]]
