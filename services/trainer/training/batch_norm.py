"""Batch normalisation over the parts of a batch that several processes hold.

N samples of this process's part, C channels, H height, W width; P processes.

torch.nn.SyncBatchNorm does this on GPUs and refuses the CPU. Both leave the state dict as one process has it.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def synchronise(network: nn.Module, device: torch.device) -> None:
    """Makes every batch norm in the network take its statistics from the whole batch, in training."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            # Parameters and buffers stay the same objects: whoever holds them notices nothing.
            module.__class__ = _BatchNorm2d


class _BatchNorm2d(nn.BatchNorm2d):
    """As its parent, whose momentum must be a number; over all processes while it is trained."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the parent's name
        if not self.training:
            return super().forward(input)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        result = _Normalised.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias, self.running_mean, self.running_var, self.momentum, self.eps
        )
        assert isinstance(result, Tensor)  # noqa: S101 - for the type checker
        return result


class _Normalised(torch.autograd.Function):
    """(x - mean) / √(variance + ε) · weight + bias, mean and variance being the whole batch's.

    torch's own kernels do the passes over the images, in their evaluation mode, which takes the statistics as
    given; only sums per channel travel between the processes.
    """

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 - what a batch norm has
        ctx: Any,  # noqa: ANN401 - torch's
        images_NCHW: Tensor,
        weight_C: Tensor,
        bias_C: Tensor,
        running_mean_C: Tensor | None,
        running_variance_C: Tensor | None,
        momentum: float,
        eps: float,
    ) -> Tensor:
        channels = images_NCHW.shape[1]
        own_mean_C, own_variance_C = torch.batch_norm_update_stats(images_NCHW, None, None, momentum)
        # A row for each process; adding zeros to it changes nothing. Means first and then what deviates from
        # the mean of all: sums of squares would cancel.
        table = torch.zeros(dist.get_world_size(), 2 * channels + 1)
        own_pixels = own_mean_C.new_tensor([images_NCHW.numel() / channels])
        table[dist.get_rank()] = torch.cat([own_mean_C, own_variance_C, own_pixels])
        dist.all_reduce(table)
        means_PC, variances_PC, pixels_P1 = torch.split(table, [channels, channels, 1], 1)
        pixels = float(pixels_P1.sum())
        share_P1 = pixels_P1 / pixels
        mean_C = (share_P1 * means_PC).sum(0)
        variance_C = (share_P1 * (variances_PC + (means_PC - mean_C) ** 2)).sum(0)
        if running_mean_C is not None and running_variance_C is not None:
            running_mean_C.lerp_(mean_C, momentum)
            running_variance_C.lerp_(variance_C * (pixels / max(pixels - 1, 1)), momentum)
        ctx.save_for_backward(images_NCHW, weight_C, mean_C, variance_C)
        ctx.pixels, ctx.eps = pixels, eps
        return torch.native_batch_norm(
            images_NCHW,
            weight_C,
            bias_C,
            mean_C,
            variance_C,
            False,
            0.0,
            eps,
        )[0]

    @staticmethod
    def backward(ctx: Any, gradient_NCHW: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        images_NCHW, weight_C, mean_C, variance_C = ctx.saved_tensors
        found_NCHW, weight_gradient_C, bias_gradient_C = torch.ops.aten.native_batch_norm_backward(
            gradient_NCHW, images_NCHW, weight_C, mean_C, variance_C, None, None, False, ctx.eps, [True] * 3
        )
        # Mean and variance move with every image of the batch. With x̂ the normalised image and g the
        # gradient, per channel: weight / deviation · (g - mean of g - x̂ · mean of g x̂).
        sums_2C = torch.stack([bias_gradient_C, weight_gradient_C])
        dist.all_reduce(sums_2C)
        mean_of_g_C, mean_of_gx_C = sums_2C / -ctx.pixels * weight_C * torch.rsqrt(variance_C + ctx.eps)
        found_NCHW += torch.native_batch_norm(
            images_NCHW,
            mean_of_gx_C,
            mean_of_g_C,
            mean_C,
            variance_C,
            False,
            0.0,
            ctx.eps,
        )[0]
        return found_NCHW, weight_gradient_C, bias_gradient_C, None, None, None, None
