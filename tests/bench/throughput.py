"""How fast the training path is, beside what people would write themselves, taking turns in one run.

    python -m tests.bench throughput
    python -m tests.bench.throughput peers [--size 64] [--against plain,loader 0,loader 2,lightning]
    python -m tests.bench.throughput processes [--size 64]

`peers`: images/s of the loop from the pack, as ratios to
    plain       a PyTorch loop over the same images, as tensors in memory, that does not augment
    loader W    a PyTorch loop over a DataLoader of W workers that decodes JPEGs of 600×600 each epoch
    lightning   PyTorch Lightning over that DataLoader, without logger, checkpoints and progress bar
`processes`: the warm child with two processes of one thread each, over one process of two threads.
"""

import argparse
import asyncio
import itertools
import json
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from services.looks import NetworkLooks
from services.trainer.training.best_look import BestLook
from services.trainer.training.classification import Classification, initial_network
from services.trainer.training.data import Split
from services.trainer.training.loop import make_optimiser, train
from services.trainer.training.preparing import InputView, Prepared
from services.trainer.training.processes import alone
from services.trainer.training.recipe import TrainingRecipe
from services.vision.networks import lay_out, normalise, to_input
from services.vision.pack import Pack
from services.vision.samples import Sample
from tests.support.children import child, until
from tests.support.training import small_data_set, train_order

_JPEG_PX = 600
_CLASSES = 6
_SEED = 0

Turn = Callable[[int], float]
"""Takes so many steps, and says how many seconds they took."""


def peers(options: argparse.Namespace) -> dict[str, Any]:
    """Medians of a step by each contender, and of the ratios of neighbouring turns."""
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    names = ["ours", *options.against.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        files = _write_jpegs(Path(temporary), options.batch_size * options.steps)
        images = _Images(files, options.size)
        contenders = {name: _contender(name, images, options) for name in names}
        step_s: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(options.turns + 1):
            for name, take in contenders.items():
                seconds = take(options.steps)
                if turn:  # the first warms caches and worker processes up
                    step_s[name].append(seconds / options.steps)
    pace = {name: options.batch_size / float(np.median(its)) for name, its in step_s.items()}
    ratios = {name: np.array(step_s[name]) / np.array(step_s["ours"]) for name in names if name != "ours"}
    return {
        "size": options.size,
        "steps": options.turns * options.steps,
        "images_per_s": {name: round(its, 2) for name, its in pace.items()},
        "ours_over": {name: round(pace["ours"] / pace[name], 4) for name in ratios},
        # Of neighbours in time: what a shared machine disturbs least.
        "median_ratio_of_turns": {name: round(float(np.median(its)), 4) for name, its in ratios.items()},
    }


def _write_jpegs(folder: Path, count: int) -> list[Path]:
    """Grey panels with a texture that does not compress well."""
    random = np.random.default_rng(_SEED)
    files = []
    for number in range(count):
        coarse = random.normal(0, 25, (30, 30, 3)).astype(np.float32)
        pixels = 120 + cv2.resize(coarse, (_JPEG_PX, _JPEG_PX)) + random.normal(0, 8, (_JPEG_PX, _JPEG_PX, 1))
        files.append(folder / f"{number:04}.jpg")
        cv2.imwrite(str(files[-1]), pixels.clip(0, 255).astype(np.uint8))
    return files


class _Images(Dataset[tuple[Tensor, int]]):
    """JPEGs that are decoded whenever they are asked for."""

    def __init__(self, files: list[Path], size: int) -> None:
        self._files = files
        self._size = size

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.from_numpy(self.pixels(index)).permute(2, 0, 1).float().div_(255), index % _CLASSES

    def pixels(self, index: int) -> NDArray[np.uint8]:
        bgr = cv2.imdecode(np.fromfile(self._files[index], np.uint8), cv2.IMREAD_COLOR)
        rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        return np.asarray(cv2.resize(rgb, (self._size, self._size)), np.uint8)


def _contender(name: str, images: _Images, options: argparse.Namespace) -> Turn:
    recipe = _recipe(options)
    network = initial_network(recipe, alone().device)
    if name.startswith("loader "):
        return _loader(network, images, recipe, int(name.removeprefix("loader ")))
    makers = {"ours": _ours, "plain": _plain, "lightning": _lightning}
    if name not in makers:
        raise SystemExit(f"{name!r} is none of plain, loader W, lightning")
    return makers[name](network, images, recipe)


def _recipe(options: argparse.Namespace) -> TrainingRecipe:
    classification = {"base_lr": 0.001, "batch_size": options.batch_size, "max_iter": 10**6, "momentum": 0.9}
    order = train_order(
        "",
        code_list=list("ABCDEF"),
        num_of_classes=_CLASSES,
        input={"width": options.size, "height": options.size},
        classification=classification | {"weight_decay": 1e-4, "lr_policy": "fixed"},
        augmentations=[name for name in options.augment.split(",") if name],
        filter_resolution=False,
        seed=_SEED,
        threads=0,
    )
    return TrainingRecipe.from_order(order)


def _ours(network: nn.Module, images: _Images, recipe: TrainingRecipe) -> Turn:
    pixels = np.stack([images.pixels(index) for index in range(len(images))])
    samples = [Sample(str(index), recipe.codes[index % _CLASSES], str(index)) for index in range(len(pixels))]
    prepared = Prepared(
        view=InputView(recipe.input_specification),
        pack=Pack(
            recipe.input_specification,
            (pixels,),
            {str(index): (0, index) for index in range(len(pixels))},
            {},
        ),
        sides=Split(tuple(samples), ("train",) * len(samples)),
        split_path=Path(),
        split_sha256="",
        training=samples,
        train_classes=np.arange(len(pixels)) % _CLASSES,
        validation=[],
        validation_classes=np.zeros(0, np.int64),
        window_source=None,
        occurs=None,
    )
    group = alone()
    learner = Classification(recipe, prepared, network, group)
    optimiser = make_optimiser(network, recipe.classification)
    done = 0

    def turn(steps: int) -> float:
        nonlocal done
        started = time.perf_counter()
        with learner.batches(range(done, done + steps)) as batches:
            train(
                network,
                learner.loss,
                optimiser,
                batches,
                recipe.classification,
                _Silent(),
                validate=lambda: 0.0,
                validation_interval=10**9,
                best=BestLook(network, NetworkLooks(10**9)),
                checkpoints=_Never(),
                group=group,
            )
        done += steps
        return time.perf_counter() - started

    return turn


class _Silent:
    """A monitor that nobody looks at."""

    def losses(
        self, first_iteration: int, values: list[float], learning_rate: float, images_per_s: float
    ) -> None:
        """Says nothing."""

    def validation(self, iteration: int, score: float) -> None:
        """Says nothing."""

    def progress(self, iterations_done: int) -> None:
        """Says nothing."""


class _Never:
    """Checkpoints that are never due."""

    def due(self, iterations_done: int) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False

    def save(self, iterations_done: int) -> None:
        """Never called."""


def _plain(network: nn.Module, images: _Images, recipe: TrainingRecipe) -> Turn:
    """Everything is done before: what is left is the network."""
    optimiser, device = _sgd(network), alone().device
    pixels_NHWC = torch.from_numpy(np.stack([images.pixels(index) for index in range(len(images))]))
    images_NCHW = _normalised(to_input(pixels_NHWC).to(device), recipe)
    classes_N = (torch.arange(len(images)) % _CLASSES).to(device)
    size = recipe.classification.batch_size
    network.train()

    def turn(steps: int) -> float:
        started = time.perf_counter()
        for step in range(steps):
            batch = slice(step * size, (step + 1) * size)
            _step(network, optimiser, images_NCHW[batch], classes_N[batch])
        return time.perf_counter() - started

    return turn


def _loader(network: nn.Module, images: _Images, recipe: TrainingRecipe, workers: int) -> Turn:
    """An epoch a turn."""
    optimiser, device = _sgd(network), alone().device
    loader = _data_loader(images, recipe, workers)
    network.train()

    def turn(steps: int) -> float:
        started = time.perf_counter()
        for images_NCHW, classes_N in itertools.islice(loader, steps):
            _step(network, optimiser, _normalised(images_NCHW.to(device), recipe), classes_N.to(device))
        return time.perf_counter() - started

    return turn


def _lightning(network: nn.Module, images: _Images, recipe: TrainingRecipe) -> Turn:
    """An epoch a turn, from its first batch to its last: what `fit` does before and after is left out."""
    import pytorch_lightning as lightning  # noqa: PLC0415 - of the extra `bench`, and slow to import

    class Module(lightning.LightningModule):  # type: ignore[misc,name-defined]
        started = ended = 0.0

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def training_step(self, batch: tuple[Tensor, Tensor], _number: int) -> Tensor:
            images_NCHW, classes_N = batch
            return F.cross_entropy(self.network(_normalised(images_NCHW, recipe)), classes_N)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return _sgd(self.network)

        def on_train_epoch_start(self) -> None:
            self.started = time.perf_counter()

        def on_train_epoch_end(self) -> None:
            self.ended = time.perf_counter()

    module, loader = Module(), _data_loader(images, recipe, 0)
    for name in ("lightning", "pytorch_lightning"):
        logging.getLogger(name).setLevel(logging.ERROR)

    def turn(steps: int) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            lightning.Trainer(
                max_epochs=1,
                limit_train_batches=steps,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            ).fit(module, loader)
        return module.ended - module.started

    return turn


def _data_loader(images: _Images, recipe: TrainingRecipe, workers: int) -> DataLoader[tuple[Tensor, Tensor]]:
    return DataLoader(
        images,
        recipe.classification.batch_size,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


def _sgd(network: nn.Module) -> torch.optim.SGD:
    return torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4, fused=True)


def _normalised(images_NCHW: Tensor, recipe: TrainingRecipe) -> Tensor:
    return lay_out(normalise(images_NCHW, recipe.input_specification), recipe.input_specification)


def _step(network: nn.Module, optimiser: torch.optim.SGD, images_NCHW: Tensor, classes_N: Tensor) -> None:
    loss = F.cross_entropy(network(images_NCHW), classes_N)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    loss.item()


def processes(options: argparse.Namespace) -> dict[str, Any]:
    """Whole trainings in warm children that take turns; images/s as the curve's points tell them."""
    return asyncio.run(_processes(options))


async def _processes(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        order = train_order(
            small_data_set(folder / "objects").manifest(),
            classification={
                "max_iter": options.steps * 2,
                "batch_size": options.batch_size,
                "base_lr": 0.001,
            },
            input={"width": options.size, "height": options.size},
            threads=options.threads,
        )
        pace: dict[str, list[float]] = {"one process": [], "two processes": []}
        async with (
            child("services.trainer.child", folder, "--processes", "1") as (one, _),
            child("services.trainer.child", folder, "--processes", "2") as (two, _),
        ):
            children = {"one process": one, "two processes": two}
            for warm in children.values():
                await until(warm.events, "ready")
            for turn in range(options.turns + 1):
                for name, warm in children.items():
                    await warm.send(order)
                    outcome = (await until(warm.events, "trained", "failed"))[-1]
                    if turn:
                        pace[name].append(outcome.trained.images_per_s)
    medians = {name: float(np.median(its)) for name, its in pace.items()}
    return {
        "size": options.size,
        "threads in all": options.threads,
        "images_per_s": {name: round(its, 2) for name, its in medians.items()},
        "two_over_one": round(medians["two processes"] / medians["one process"], 4),
    }


def measure() -> dict[str, Any]:
    """Both, at the seeded image's size and at one where convolution is nearly everything."""
    figures: dict[str, Any] = {}
    for size in ("64", "128"):
        figures[f"peers at {size}"] = peers(_options(["peers", "--size", size]))
        figures[f"processes at {size}"] = processes(_options(["processes", "--size", size, "--turns", "3"]))
    augmented = ["peers", "--augment", "colour,flip", "--against", "plain"]
    figures["augmenting colour and flip at 64"] = peers(_options(augmented))
    return figures


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["peers", "processes"])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=8, help="of a turn")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--augment", default="", help="in our loop: colour, scale, flip, random")
    parser.add_argument("--against", default="plain,loader 0,loader 2,lightning")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    chosen = _options(sys.argv[1:])
    print(json.dumps(peers(chosen) if chosen.what == "peers" else processes(chosen), indent=2))
