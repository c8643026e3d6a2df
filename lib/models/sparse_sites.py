"""Convolution blocks that act only on the active sites of a grid (spec end_to_end, 5.6), in two forms.

`masked` computes every site and multiplies by the mask: static shapes, no saving. `gathered` collects the
active sites into rows, multiplies only the pairs of active neighbours, and scatters the result: the
arithmetic of the sparse library that the paper used, in plain PyTorch. Both give the same numbers up to
rounding.

Maps are channels last, `(frames, height, width, channels)`; a mask is `(frames, height, width)`.
"""

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

Form = Literal["masked", "gathered"]
FORMS = ("masked", "gathered")
CENTRE = 4  # of the nine offsets of a 3x3 kernel, numbered 3 * row + column

Pairs = list[tuple[Int[Tensor, " pairs"], Int[Tensor, " pairs"]]]
"""For each kernel offset but the centre: rows that are read, and the rows that they add to."""


def pooled_mask(active: Bool[Tensor, "frames height width"]) -> Bool[Tensor, "frames h w"]:
    """A site of the pooled grid is active if any of its four inputs is."""
    return _windows(active.unsqueeze(-1)).any(dim=4).any(dim=2).squeeze(-1)


def neighbour_pairs(active: Bool[Tensor, "frames height width"]) -> Int[Tensor, ""]:
    """Ordered pairs of active sites inside each other's 3x3 window, a site with itself included.

    Times input and output channels, these are the multiply-adds of one sparse convolution.
    """
    # Counts are exact in float32: a window holds at most nine sites.
    ones = active.to(torch.float32).unsqueeze(1)
    neighbours = F.conv2d(ones, ones.new_ones(1, 1, 3, 3), padding=1)
    return neighbours.squeeze(1)[active].to(torch.int64).sum()


def _windows(x: Tensor) -> Shaped[Tensor, "frames h 2 w 2 channels"]:
    """The 2x2 pooling windows of a map, as a view; height and width must be even."""
    return x.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))


class _TiedMaxPool(torch.autograd.Function):
    """Maximum over 2x2 sites; its gradient goes, undivided, to every site that attains it (spec end_to_end, 5.6)."""

    @staticmethod
    def forward(ctx, x):
        highest = F.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)
        ctx.save_for_backward(x, highest)
        return highest

    @staticmethod
    def backward(ctx, grad):
        x, highest = ctx.saved_tensors
        attained = _windows(x) == highest[:, :, None, :, None]
        return torch.where(attained, grad[:, :, None, :, None], 0.0).reshape(x.shape)


class _ActiveProduct(torch.autograd.Function):
    """Sum over the kernel offsets of (rows that are read) @ (weight), added to the rows they belong to.

    Written by hand because autograd would keep all gathered rows, and allocate a map per offset, for the
    gradient.
    """

    @staticmethod
    def forward(ctx, rows, weight, pairs: Pairs):
        ctx.save_for_backward(rows, weight)
        ctx.pairs = pairs
        out = rows @ weight[CENTRE]
        for offset, read, target in _offsets(pairs):
            out.index_add_(0, target, rows.index_select(0, read) @ weight[offset])
        return out

    @staticmethod
    def backward(ctx, grad):
        rows, weight = ctx.saved_tensors
        grad_rows = grad @ weight[CENTRE].T
        grad_weight = torch.empty_like(weight)
        torch.mm(rows.T, grad, out=grad_weight[CENTRE])
        for offset, read, target in _offsets(ctx.pairs):
            there = grad.index_select(0, target)
            grad_rows.index_add_(0, read, there @ weight[offset].T)
            torch.mm(rows.index_select(0, read).T, there, out=grad_weight[offset])
        return grad_rows, grad_weight, None


def _offsets(pairs: Pairs):
    for place, (read, target) in enumerate(pairs):
        yield place if place < CENTRE else place + 1, read, target


class ActiveSites:
    """The active sites of a batch, numbered in (frame, row, column) order, and who neighbours whom."""

    def __init__(self, active: Bool[Tensor, "frames height width"]):
        self.grid = active.shape
        self.index = active.flatten().nonzero().squeeze(1)
        self.pairs = self._pairs()

    def _pairs(self) -> Pairs:
        frames, height, width = self.grid
        number = torch.full((frames * height * width,), -1, device=self.index.device)
        number[self.index] = torch.arange(len(self.index), device=self.index.device)
        padded = F.pad(number.view(self.grid), (1, 1, 1, 1), value=-1)
        before = []
        for offset in range(CENTRE):
            row, column = divmod(offset, 3)
            neighbour = padded[:, row : row + height, column : column + width].flatten()[self.index]
            target = (neighbour >= 0).nonzero().squeeze(1)
            before.append((neighbour[target], target))
        # The opposite offset has the same pairs, read the other way round.
        return before + [(target, read) for read, target in reversed(before)]

    def gather(self, x: Float[Tensor, "frames height width channels"]) -> Float[Tensor, "sites channels"]:
        return x.flatten(0, 2).index_select(0, self.index)

    def scatter(self, rows: Float[Tensor, "sites channels"]) -> Float[Tensor, "frames height width channels"]:
        """The rows at their sites, zeros elsewhere."""
        frames, height, width = self.grid
        flat = rows.new_zeros(frames * height * width, rows.shape[-1]).index_copy(0, self.index, rows)
        return flat.view(frames, height, width, -1)


class SubmanifoldConv(nn.Module):
    """3x3 convolution without bias from active sites to the same sites; inactive neighbours count as zero.

    `weight` is (9, 1, in, out) as in the sparse library, offset `3 * row + column`, cross-correlation.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        deviation = math.sqrt(2 / (9 * in_channels))
        self.weight = nn.Parameter(torch.randn(9, 1, in_channels, out_channels) * deviation)

    def rows(self, rows: Float[Tensor, "sites channels"], sites: ActiveSites) -> Float[Tensor, "sites out"]:
        weight = self.weight.squeeze(1)
        if torch.is_autocast_enabled(rows.device.type):
            dtype = torch.get_autocast_dtype(rows.device.type)
            rows, weight = rows.to(dtype), weight.to(dtype)
        return _ActiveProduct.apply(rows, weight, sites.pairs)

    def map(self, x: Float[Tensor, "frames height width channels"]) -> Float[Tensor, "frames height width out"]:
        """The dense convolution: right at the active sites of a map that is zero elsewhere."""
        kernel = self.weight.squeeze(1).unflatten(0, (3, 3)).permute(3, 2, 0, 1)
        return F.conv2d(x.permute(0, 3, 1, 2), kernel, padding=1).permute(0, 2, 3, 1)


class SiteBatchNorm(nn.Module):
    """Batch norm over the active sites of the batch, with the library's constants (quirk Q4).

    A single active site has no variance: its running value is then left alone, where the library divides by
    zero.
    """

    def __init__(self, channels: int, eps: float = 1e-4, momentum: float = 0.01):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def rows(self, rows: Float[Tensor, "sites channels"]) -> Float[Tensor, "sites channels"]:
        if self.training and len(rows) == 1:
            all_active = torch.ones(1, 1, 1, dtype=torch.bool, device=rows.device)
            return self.map(rows[:, None, None], all_active)[:, 0, 0]
        statistics = self.running_mean, self.running_var, self.weight, self.bias
        return F.batch_norm(rows, *statistics, self.training, self.momentum, self.eps)

    def map(
        self, x: Float[Tensor, "frames height width channels"], active: Bool[Tensor, "frames height width"]
    ) -> Float[Tensor, "frames height width channels"]:
        """The same over a map; what it returns at inactive sites has no meaning."""
        x = x.to(self.weight.dtype)
        mean, var = self.running_mean, self.running_var
        if self.training:
            mask, count = active.unsqueeze(-1), active.sum()
            mean = (x * mask).sum(dim=(0, 1, 2)) / count
            var = ((x - mean).square() * mask).sum(dim=(0, 1, 2)) / count
            with torch.no_grad():
                unbiased = var * count / (count - 1).clamp(min=1)
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(unbiased, self.momentum * (count > 1).to(var.dtype))
        return (x - mean) * (var + self.eps).rsqrt() * self.weight + self.bias


class SparseBlock(nn.Sequential):
    """Two submanifold convolutions, each with norm and ReLU, then the maximum over 2x2 sites."""

    def __init__(self, in_channels: int, out_channels: int, form: Form):
        super().__init__(
            SubmanifoldConv(in_channels, out_channels),
            SiteBatchNorm(out_channels),
            SubmanifoldConv(out_channels, out_channels),
            SiteBatchNorm(out_channels),
        )
        if form not in FORMS:
            raise ValueError(f"form {form!r}; use one of {', '.join(FORMS)}")
        self.form = form

    def forward(
        self, x: Float[Tensor, "frames height width channels"], active: Bool[Tensor, "frames height width"]
    ) -> Float[Tensor, "frames h w out"]:
        """What stands at inactive sites of `x` is not looked at; inactive sites of the result are zero."""
        if self.form == "masked":
            return self._masked(x, active)
        return self._gathered(x, ActiveSites(active))

    def multiply_adds(self, active: Bool[Tensor, "frames height width"]) -> int:
        """Of both convolutions, counted as the sparse library counts them."""
        products = sum(conv.weight.shape[2] * conv.weight.shape[3] for conv, _ in self._layers())
        return int(neighbour_pairs(active)) * products

    def _layers(self) -> tuple[tuple[SubmanifoldConv, SiteBatchNorm], ...]:
        conv1, norm1, conv2, norm2 = self
        return (conv1, norm1), (conv2, norm2)

    def _masked(self, x: Tensor, active: Tensor) -> Tensor:
        mask = active.unsqueeze(-1)
        x = x * mask
        for conv, norm in self._layers():
            x = F.relu(norm.map(conv.map(x), active)) * mask
        return _TiedMaxPool.apply(x)

    def _gathered(self, x: Tensor, sites: ActiveSites) -> Tensor:
        rows = sites.gather(x)
        for conv, norm in self._layers():
            rows = F.relu(norm.rows(conv.rows(rows, sites)))
        return _TiedMaxPool.apply(sites.scatter(rows))
