"""Augmentation of a batch on its device (W10).

N samples of a batch, C = 3 channels RGB, H height, W width.

A sample's randomness depends on (seed, draw) alone, where draws number the samples of the whole training
from 0. So neither the batch size nor a resume changes it, and a batch costs a few vector operations instead
of N generators.
"""

import hashlib
import math

import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from torch import Tensor

_RESAMPLING = frozenset({"scale", "random"})
_SCALE = 1.15
"""`scale` zooms both axes by one factor in 1/1.15..1.15."""
_RANDOM_SCALE = 1.4
"""`random` zooms each axis by a factor of its own in 1/1.4..1.4, and flips either axis."""
_HUE_TURNS, _SATURATION, _VALUE = 0.03, 0.3, 0.3
"""`colour`: hue ±0.03 of a turn, saturation and value ±30 %."""

_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9 - 2**64, 0x94D049BB133111EB - 2**64


def augment(images_NCHW: Tensor, draws_N: Tensor, augmentations: frozenset[str], seed: int) -> Tensor:
    """Images (N, C, H, W) in 0..1, changed as their draws (N,) int64 say; shape and range stay."""
    if "colour" in augmentations:
        images_NCHW = _jitter_hsv(images_NCHW, draws_N, seed)
    if augmentations & _RESAMPLING:
        return _resampled(images_NCHW, _grid(images_NCHW, draws_N, augmentations, seed), "bilinear")
    if "flip" in augmentations:
        return _flipped(images_NCHW, draws_N, seed)
    return images_NCHW


def augment_labels(labels_NHW: Tensor, draws_N: Tensor, augmentations: frozenset[str], seed: int) -> Tensor:
    """Labels (N, H, W) int64, moved as `augment` moves the images of the same draws; none is mixed."""
    labels_N1HW = labels_NHW[:, None]
    if augmentations & _RESAMPLING:
        grid_NHW2 = _grid(labels_N1HW, draws_N, augmentations, seed)
        labels_N1HW = _resampled(labels_N1HW.float(), grid_NHW2, "nearest").long()
    elif "flip" in augmentations:
        labels_N1HW = _flipped(labels_N1HW, draws_N, seed)
    return labels_N1HW[:, 0]


def value_factor(draws_N: Tensor, seed: int) -> Tensor:
    """(N, 1, 1, 1): by how much `colour` makes images brighter; their mean grows as much."""
    return (1 + _VALUE * (2 * uniform(draws_N, seed, "value") - 1)).view(-1, 1, 1, 1)


def uniform(draws_N: Tensor, seed: int, purpose: str) -> Tensor:
    """(N,) in [0, 1) with 24 random bits, a pure function of seed, purpose and draw.

    splitmix64 over a counter (Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014);
    int64 arithmetic wraps in torch, so it runs vectorised on any device.
    """
    stream = int.from_bytes(hashlib.sha256(f"{seed} {purpose}".encode()).digest()[:8], "little", signed=True)
    state = (draws_N + 1) * _GOLDEN + stream
    state = (state ^ _shifted(state, 30)) * _MIX_1
    state = (state ^ _shifted(state, 27)) * _MIX_2
    return _shifted(state ^ _shifted(state, 31), 40).to(torch.get_default_dtype()) / 2**24


def _shifted(state: Tensor, bits: int) -> Tensor:
    """Logical shift right; torch's own keeps the sign."""
    return (state >> bits) & ((1 << (64 - bits)) - 1)


def _flipped(images_NCHW: Tensor, draws_N: Tensor, seed: int) -> Tensor:
    flipped_N = uniform(draws_N, seed, "flip") < 0.5
    return torch.where(flipped_N.view(-1, 1, 1, 1), images_NCHW.flip(3), images_NCHW)


def _resampled(images_NCHW: Tensor, grid_NHW2: Tensor, mode: str) -> Tensor:
    """What comes into view beyond the edge is mirrored."""
    return F.grid_sample(images_NCHW, grid_NHW2, mode=mode, padding_mode="reflection", align_corners=False)


def _grid(images_NCHW: Tensor, draws_N: Tensor, augmentations: frozenset[str], seed: int) -> Tensor:
    """Where each pixel comes from, (N, H, W, 2): every geometric wish in one resampling."""
    across_N = down_N = torch.zeros_like(draws_N, dtype=torch.get_default_dtype())  # logarithms of the zoom
    turned_over_N = torch.zeros_like(draws_N, dtype=torch.bool)
    upside_down_N = turned_over_N
    if "scale" in augmentations:
        both_N = math.log(_SCALE) * (2 * uniform(draws_N, seed, "scale") - 1)
        across_N, down_N = across_N + both_N, down_N + both_N
    if "flip" in augmentations:
        turned_over_N = uniform(draws_N, seed, "flip") < 0.5
    if "random" in augmentations:
        across_N = across_N + math.log(_RANDOM_SCALE) * (2 * uniform(draws_N, seed, "random across") - 1)
        down_N = down_N + math.log(_RANDOM_SCALE) * (2 * uniform(draws_N, seed, "random down") - 1)
        turned_over_N = turned_over_N ^ (uniform(draws_N, seed, "random flip") < 0.5)
        upside_down_N = uniform(draws_N, seed, "random upside down") < 0.5
    theta_N23 = torch.zeros(len(draws_N), 2, 3, device=images_NCHW.device)
    theta_N23[:, 0, 0] = torch.exp(-across_N) * (1 - 2 * turned_over_N.float())
    theta_N23[:, 1, 1] = torch.exp(-down_N) * (1 - 2 * upside_down_N.float())
    return F.affine_grid(theta_N23, list(images_NCHW.shape), align_corners=False)


def _jitter_hsv(images_NCHW: Tensor, draws_N: Tensor, seed: int) -> Tensor:
    """Shifts hue, scales saturation and value, without a branch per pixel.

    With V = max and c any channel, c = V (1 - S k) where k depends on hue alone; so scaling S and V is
    linear in c. A small turn of hue is a rotation about the grey axis, which leaves grey pixels as they are.
    """
    hue_N, saturation_N = (2 * uniform(draws_N, seed, purpose) - 1 for purpose in ("hue", "saturation"))
    turned_NCHW = torch.einsum("nij,njhw->nihw", _hue_rotation(hue_N * _HUE_TURNS), images_NCHW)
    value_N1HW = turned_NCHW.amax(1, keepdim=True)
    saturation_N111 = (1 + _SATURATION * saturation_N).view(-1, 1, 1, 1)
    scaled_NCHW = torch.lerp(value_N1HW, turned_NCHW, saturation_N111)
    return scaled_NCHW.mul_(value_factor(draws_N, seed)).clamp_(0, 1)


def _hue_rotation(turns_N: Tensor) -> Tensor:
    """(N, 3, 3) rotations of RGB about the grey axis (Rodrigues)."""
    angle_N11 = (2 * math.pi * turns_N).view(-1, 1, 1)
    identity = torch.eye(3, device=turns_N.device)
    axis = torch.full((3, 3), 1 / 3, device=turns_N.device)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=turns_N.device) / math.sqrt(3)
    return identity * torch.cos(angle_N11) + axis * (1 - torch.cos(angle_N11)) + cross * torch.sin(angle_N11)
