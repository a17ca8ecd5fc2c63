"""Which samples each batch draws, and a thread that has the next batches ready.

N samples of a batch, H height, W width, C channels.
"""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.vision.networks import deviation_and_mean, to_input
from services.vision.pack import Pack
from services.vision.windows import place_window

_AHEAD = 3
"""Batches kept ready: enough to hide a page that must come from disk."""
_WINDOW = 1
"""Keeps the windows' random numbers apart from the order's, which are drawn from the same keys."""


@dataclass(frozen=True)
class Batch:
    """One iteration's samples, on the device."""

    iteration: int
    images_NHWC: Tensor
    """uint8."""
    classes_N: Tensor
    draws_N: Tensor
    """Number of each sample in the whole training: what its augmentation is drawn from."""
    of_whole: tuple[Tensor, Tensor] | None = None
    """Deviation and mean of the images of which these are windows, (N, 1, 1, 1) each, in 0..1."""
    uploaded: torch.cuda.Event | None = None
    """On a GPU, when the tensors are there: they come on a stream of their own, beside the kernels."""


def epoch_order(classes: NDArray[np.int64], class_balance: float, seed: int, epoch: int) -> NDArray[np.int64]:
    """Indices of one epoch: as many as there are samples, a function of (seed, epoch) alone.

    A class of n samples gets a share proportional to n^(1 - class_balance): at 0 every sample comes once, at
    1 every class equally often. Systematic sampling gives each sample its share rounded down or up, never
    more.
    """
    random = np.random.Generator(np.random.Philox(key=[seed % 2**64, epoch]))
    count = len(classes)
    per_class = np.bincount(classes).astype(np.float64)
    share = np.divide(
        per_class ** (1 - class_balance), per_class, out=np.zeros_like(per_class), where=per_class > 0
    )
    shuffled = random.permutation(count)
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    expected = share[classes[by_class]]
    position = np.cumsum(expected) * (count / expected.sum())
    position[-1] = count  # rounding must not lose the last draw
    copies = np.diff(np.floor(position + random.random()), prepend=0.0).astype(np.int64)
    copies[-1] += count - copies.sum()
    return random.permutation(np.repeat(by_class, copies))


@dataclass(frozen=True)
class WindowSource:
    """What windows are cut from, and where."""

    size: tuple[int, int]
    """Height and width of a window."""
    masks: Pack
    mask_keys: list[str | None]
    """Of each training sample; None where it shows no defect."""

    def cut(self, whole_HWC: NDArray[np.uint8], sample: int, draw: int, seed: int) -> NDArray[np.uint8]:
        """The window of a training sample's image that this draw shows, not copied."""
        key = self.mask_keys[sample]
        mask_HW = self.masks.sample(self.masks.rows([key])[0])[..., 0] if key else None
        return cut_window(whole_HWC, mask_HW, self.size, draw, seed)


def cut_window(
    whole_HWC: NDArray[np.uint8],
    mask_HW: NDArray[np.uint8] | None,
    size: tuple[int, int],
    draw: int,
    seed: int,
) -> NDArray[np.uint8]:
    """A window around some of what the mask marks, or anywhere; a function of draw and seed. Not copied."""
    random = np.random.Generator(np.random.Philox(key=[seed % 2**64, draw], counter=_WINDOW))
    top, left = place_window(mask_HW, whole_HWC.shape[:2], size, random)
    return whole_HWC[top : top + size[0], left : left + size[1]]


def logit_shift(
    classes: NDArray[np.int64], class_balance: float, occurs: NDArray[np.float64] | None = None
) -> NDArray[np.float32]:
    """Per class: log of how much more often `epoch_order` draws it than it occurs.

    `occurs` is how often each class will be met, if not as often as among the samples: of windows of whole
    images far fewer show a defect than of those that training cuts.

    Added to the logits in the loss, it leaves the logits themselves with the frequencies of the data: rare
    classes teach the features more often, and the predictions stay calibrated.
    Source: Menon et al., Long-tail learning via logit adjustment, 2021.
    """
    share = np.bincount(classes) / len(classes)
    occurs = share if occurs is None else occurs
    drawn = np.where(share > 0, share ** (1 - class_balance), 0)
    drawn /= drawn.sum()
    shift = np.log(np.divide(drawn, occurs, out=np.ones_like(drawn), where=occurs > 0))
    return shift.astype(np.float32)


class WindowSampler(Protocol):
    """Which window of a sample a draw shows."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a window."""
        ...

    def cut(self, whole_HWC: NDArray[np.uint8], sample: int, draw: int, seed: int) -> NDArray[np.uint8]:
        """The window of that size."""
        ...


class Source(Protocol):
    """Where the pixels of batches come from: a pack, or several seen as one."""

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of every sample."""
        ...

    def rows(self, hashes: Iterable[str]) -> NDArray[np.int64]:
        """The rows of the samples with these hashes, in their order, for `sample` and `gather`."""
        ...

    def sample(self, row: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The sample of a row, (H, W, C)."""
        ...

    def gather(self, rows: NDArray[np.int64], out_NHWC: NDArray[np.uint8]) -> None:
        """Copy the samples of these rows, in their order, into `out_NHWC`."""
        ...


class Batches:
    """Iterates batches from one iteration to another; used as a context, which ends the thread.

    Batch i holds the draws i·N … (i+1)·N - 1, across the ends of epochs, so that every batch is full; `part`
    of them, where several processes share it.
    """

    def __init__(  # noqa: PLR0913 - what a batch is made of
        self,
        pack: Source,
        hashes: list[str],
        classes: NDArray[np.int64],
        *,
        batch_size: int,
        iterations: range,
        class_balance: float,
        seed: int,
        device: torch.device,
        part: slice = slice(None),
        windows: WindowSampler | None = None,
    ) -> None:
        self._windows = windows
        self._part = part
        self._pack = pack
        self._rows = pack.rows(hashes)
        self._of_whole_N2 = np.full((len(hashes), 2), np.nan, np.float32)
        self._classes = classes
        self._batch_size = batch_size
        self._iterations = iterations
        self._class_balance = class_balance
        self._seed = seed
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self._ready: queue.Queue[Batch | BaseException | None] = queue.Queue(_AHEAD)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="batches", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.05)  # lets a waiting put go on and see the end
            except queue.Empty:
                continue
        self._thread.join()

    def __iter__(self) -> Iterator[Batch]:
        while (batch := self._ready.get()) is not None:
            if isinstance(batch, BaseException):
                raise batch
            yield batch if self._stream is None else _arrived(batch, self._device)

    def _fill(self) -> None:
        with contextlib.ExitStack() as on_gpu:
            if self._stream:
                # A new thread stands on the first GPU, and would open it beside its own.
                on_gpu.enter_context(torch.cuda.device(self._device))
                on_gpu.enter_context(torch.cuda.stream(self._stream))
            self._fill_in_turn()

    def _fill_in_turn(self) -> None:
        try:
            order, of_epoch = np.empty(0, np.int64), -1
            count, size = len(self._rows), self._batch_size
            for iteration in self._iterations:
                draws = np.arange(iteration * size, (iteration + 1) * size)
                chosen = np.empty(size, np.int64)
                for epoch in range(int(draws[0] // count), int(draws[-1] // count) + 1):
                    if epoch != of_epoch:
                        order = epoch_order(self._classes, self._class_balance, self._seed, epoch)
                        of_epoch = epoch
                    within = draws // count == epoch
                    chosen[within] = order[draws[within] % count]
                self._ready.put(self._batch(iteration, chosen[self._part], draws[self._part]))
                if self._ended.is_set():
                    return
            self._ready.put(None)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that waits for the batch
            self._ready.put(error)

    def _batch(self, iteration: int, chosen: NDArray[np.int64], draws: NDArray[np.int64]) -> Batch:
        height, width, channels = self._pack.sample_shape
        size = self._windows.size if self._windows else (height, width)
        pinned = self._stream is not None
        images_NHWC = torch.empty((len(chosen), *size, channels), dtype=torch.uint8, pin_memory=pinned)
        of_whole = None
        if self._windows:
            of_whole = self._cut(self._windows, chosen, draws, images_NHWC.numpy())
        else:
            self._pack.gather(self._rows[chosen], images_NHWC.numpy())
        return Batch(
            iteration,
            self._upload(images_NHWC),
            self._upload(torch.from_numpy(self._classes[chosen])),
            self._upload(torch.from_numpy(draws)),
            of_whole,
            self._stream.record_event() if self._stream else None,
        )

    def _upload(self, tensor: Tensor) -> Tensor:
        if self._stream is None:
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)

    def _cut(
        self,
        windows: WindowSampler,
        chosen: NDArray[np.int64],
        draws: NDArray[np.int64],
        out_NHWC: NDArray[np.uint8],
    ) -> tuple[Tensor, Tensor]:
        """One window of each sample; deviation and mean of the whole images."""
        for row, (sample, draw) in enumerate(zip(chosen.tolist(), draws.tolist(), strict=True)):
            whole_HWC = self._pack.sample(self._rows[sample])
            out_NHWC[row] = windows.cut(whole_HWC, sample, draw, self._seed)
            if np.isnan(self._of_whole_N2[sample, 0]):
                image_NHWC = torch.from_numpy(whole_HWC[None, ..., :3].copy())  # without its labels
                std_N111, mean_N111 = deviation_and_mean(to_input(image_NHWC))
                self._of_whole_N2[sample] = std_N111.item(), mean_N111.item()
        of_whole_N2 = self._upload(torch.from_numpy(self._of_whole_N2[chosen]))
        return of_whole_N2[:, 0].view(-1, 1, 1, 1), of_whole_N2[:, 1].view(-1, 1, 1, 1)


def _arrived(batch: Batch, device: torch.device) -> Batch:
    """The batch, of which no kernel of this thread's stream sees anything before it is there."""
    stream = torch.cuda.current_stream(device)
    if batch.uploaded:
        stream.wait_event(batch.uploaded)
    for tensor in (batch.images_NHWC, batch.classes_N, batch.draws_N, *(batch.of_whole or ())):
        tensor.record_stream(stream)  # its memory is the other stream's again only after this one's kernels
    return batch
