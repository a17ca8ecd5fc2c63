"""The classifier in training: what it sees, its loss, its judgement, and what it knows of special codes.

N samples of a batch, C = 3 channels (in logits: classes), H height, W width, F features.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's custom
from numpy.typing import NDArray
from torch import Tensor, nn

from services.looks import look_interval
from services.trainer.training.augment import augment
from services.trainer.training.batches import Batch, Batches, logit_shift
from services.trainer.training.learner import shown_whole
from services.trainer.training.monitoring import Channel, emit_log
from services.trainer.training.preparing import Prepared
from services.trainer.training.processes import Group
from services.trainer.training.recipe import TrainingRecipe
from services.vision.faults import BadOrder
from services.vision.inference import outputs
from services.vision.networks import build_classifier, lay_out, normalise, place, to_input
from services.vision.samples import Sample
from services.vision.special import SpecialRule, fit
from services.vision.weights import Weights
from services.vision.windows import Windows, operating_point

_JUDGED_AT_ONCE = 64
_FEATURES_PER_CODE = 256
"""Enough for a mean and a share in the covariance; more only takes time."""


class Classification:
    """A Learner: whole images, or windows of them, to classes."""

    name = "classification"

    def __init__(self, recipe: TrainingRecipe, prepared: Prepared, network: nn.Module, group: Group) -> None:
        self.network = network
        self.parameters = recipe.classification
        self.relative_cost = float(
            self.parameters.batch_size * recipe.input_specification.width * recipe.input_specification.height
        )
        self._recipe = recipe
        self._prepared = prepared
        self._group = group
        self._view = view = prepared.view
        self._balance = view.class_balance if recipe.class_balance is None else recipe.class_balance
        shift_C = logit_shift(prepared.train_classes, self._balance, prepared.occurs)
        self._shift_C = torch.from_numpy(shift_C).to(group.device)
        self._windows = view.windows
        self._looked = False

    def described(self) -> str:
        """Samples, and windows where there are any."""
        samples = f"{len(self._prepared.training)} training and {len(self._prepared.validation)} validation"
        return f"{self._recipe.network}: {samples} samples{self._view.described()}"

    def batches(self, iterations: range) -> Batches:
        """Of the training side's classes."""
        prepared = self._prepared
        return Batches(
            prepared.pack,
            [sample.sha256 for sample in prepared.training],
            prepared.train_classes,
            batch_size=self.parameters.batch_size,
            iterations=iterations,
            class_balance=self._balance,
            seed=self._recipe.seed,
            device=self._group.device,
            part=self._group.part(self.parameters.batch_size),
            windows=prepared.window_source,
        )

    def loss(self, network: nn.Module, batch: Batch) -> Tensor:
        """Cross-entropy.

        The logit shift (`batches.logit_shift`), in the loss alone, undoes in predictions that rare classes
        are drawn more often than they occur.
        """
        recipe = self._recipe
        images_NCHW = augment(to_input(batch.images_NHWC), batch.draws_N, recipe.augmentations, recipe.seed)
        images_NCHW = normalise(images_NCHW, recipe.input_specification, shown_whole(batch, recipe))
        logits_NC = network(lay_out(images_NCHW, recipe.input_specification))
        return F.cross_entropy(logits_NC + self._shift_C, batch.classes_N)

    @property
    def validation_interval(self) -> int:
        """Iterations between two scores. An image with windows costs as many inputs as it has windows."""
        forwards = len(self._prepared.validation) * self._view.forwards
        return look_interval(self.parameters.max_iter, self.parameters.batch_size, forwards)

    def score(self) -> float:
        """Accuracy: the share of samples whose greatest logit is their class; each process judges a part."""
        self._looked = True
        validation = self._prepared.validation
        _, part_NC = self._outputs(validation[self._group.part(len(validation))])
        logits_NC = self._group.joined(part_NC, len(validation))
        if self._windows:
            defect_threshold = operating_point(
                logits_NC, self._prepared.validation_classes, self._windows.background
            )
            self._windows = replace(self._windows, defect_threshold=defect_threshold)
            logits_NC[:, self._windows.background] = defect_threshold
        right_N = logits_NC.argmax(1).numpy() == self._prepared.validation_classes
        return float(right_N.mean()) if len(right_N) else float("nan")

    @property
    def windows(self) -> Windows | None:
        """With the defect_threshold found at the last look: after a training, at its end."""
        if self._windows and not self._looked:
            self.score()  # resumed behind its last iteration
        return self._windows

    def special_rule(self, channel: Channel, known: Collection[str] = ()) -> SpecialRule | None:
        """Feature statistics of the special codes, S2, but those `known` by another way.

        None where the model has none.
        """
        recipe, sides = self._recipe, self._prepared.sides
        special = set(recipe.codes[recipe.num_of_classes :]) - set(known)
        if not special:
            return None
        train, validation = (
            _at_most_per_code(sample for sample in sides.of(side) if sample.code not in known)
            for side in ("train", "validation")
        )
        rule = fit(
            self._features(train),
            np.array([recipe.codes.index(sample.code) for sample in train], np.int64),
            self._features(validation),
            np.array([recipe.codes.index(sample.code) for sample in validation], np.int64),
            recipe.codes,
            recipe.num_of_classes,
        )
        missing = special - set(rule.codes if rule else ())
        if missing:
            text = (
                f"no training sample of special code {', '.join(sorted(missing))}: it will never be predicted"
            )
            emit_log(channel, self.name, text)
        return rule

    def predicted_codes(self, samples: Sequence[Sample], special: SpecialRule | None) -> list[str]:
        """The code of each sample: its most probable class, or a special code by S2."""
        features_NF, logits_NC = self._outputs(samples)
        if self.windows:
            logits_NC[:, self.windows.background] = self.windows.defect_threshold
        code_N = logits_NC.argmax(1).numpy()
        codes = [self._recipe.codes[code] for code in code_N.tolist()]
        if special:
            special_N, _ = special.decide(features_NF.double().numpy())
            codes = [
                special.codes[number] if number >= 0 else code
                for number, code in zip(special_N.tolist(), codes, strict=True)
            ]
        return codes

    def _features(self, samples: Sequence[Sample]) -> NDArray[np.float64]:
        features_NF, _ = self._outputs(samples, torch.float64)
        return features_NF.numpy()

    def _outputs(
        self, samples: Sequence[Sample], dtype: torch.dtype = torch.float32
    ) -> tuple[Tensor, Tensor]:
        """Features (N, F) and logits (N, C), on the CPU. Changes nothing."""
        pack = self._prepared.pack
        rows = pack.rows(sample.sha256 for sample in samples)
        classes, features = self.network.get_parameter("fc.weight").shape
        found = [(torch.zeros(0, features, dtype=dtype), torch.zeros(0, classes, dtype=dtype))]
        was_training = self.network.training
        self.network.eval()
        for start in range(0, len(rows), _JUDGED_AT_ONCE):
            chosen = rows[start : start + _JUDGED_AT_ONCE]
            features_NF, logits_NC = outputs(
                self.network, pack, chosen, self._recipe.input_specification, self._view.windows
            )
            found.append((features_NF.to("cpu", dtype), logits_NC.to("cpu", dtype)))
        self.network.train(was_training)
        features_NF, logits_NC = (torch.cat(parts) for parts in zip(*found, strict=True))
        return features_NF, logits_NC


def initial_network(recipe: TrainingRecipe, device: torch.device, parent: Weights | None = None) -> nn.Module:
    """The network at iteration 0, a function of the seed; of the parent only what fits (W13)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = build_classifier(recipe.network, recipe.num_of_classes)
    if parent:
        if parent.certificate["network"] != recipe.network:
            raise BadOrder(f"warm start: the parent is a {parent.certificate['network']}")
        same_classes = parent.codes[: parent.num_of_classes] == recipe.class_codes
        inherited = {
            name: t for name, t in parent.tensors.items() if same_classes or not name.startswith("fc.")
        }
        network.load_state_dict(inherited, strict=same_classes)
    return place(network, recipe.input_specification, device)


def _at_most_per_code(samples: Iterable[Sample]) -> list[Sample]:
    taken: Counter[str] = Counter()
    kept = []
    for sample in sorted(samples, key=lambda sample: (sample.sha256, sample.name)):
        taken[sample.code] += 1
        if taken[sample.code] <= _FEATURES_PER_CODE:
            kept.append(sample)
    return kept
