"""Optimiser groups with learning rates of their own."""

from torch import nn

FUSION = ("fusion_weights", "fusion_bias")


def parameter_groups(
    model: nn.Module, factor_learning_rate: float, learning_rate: float, legacy: bool = False
) -> list[dict]:
    """Groups for `torch.optim`: LMF's modality factors, and everything else (spec lmf, 1.5 and 6).

    Parameters come as `(name, parameter)` pairs, so the optimiser keeps the names as `param_names`. `legacy`
    leaves the rank weights and the bias of the fusion at their initial values, as the scripts did before
    April 2020 (quirk 1). A model without factors, such as TFN, has one group.
    """
    factors, others = [], []
    for name, parameter in model.named_parameters():
        if legacy and name in FUSION:
            continue
        (factors if name.endswith("_factor") else others).append((name, parameter))
    groups = [{"params": factors, "lr": factor_learning_rate}, {"params": others, "lr": learning_rate}]
    return [group for group in groups if group["params"]]
