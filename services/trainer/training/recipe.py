"""What a training was ordered to do, read from the order."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from google.protobuf import json_format
from loupe.scheduler.v1 import task_pb2
from loupe.worker.v1 import order_pb2

from services import input_messages
from services.input_specification import InputSpecification
from services.learning_rate import LR_POLICIES, LrPolicy, Schedule
from services.vision.faults import BadOrder
from services.vision.preprocessing import checked, to_certificate
from services.vision.samples import UNKNOWN

AUGMENTATIONS = ("colour", "scale", "flip", "random")
_DEFAULT_TRAIN_FRACTION = 0.8


@dataclass(frozen=True)
class NetworkParameters:
    """Training parameters of one network (W8). Iterations count batches."""

    base_lr: float
    batch_size: int
    max_iter: int
    weight_decay: float
    momentum: float
    lr_policy: LrPolicy
    power: float
    gamma: float
    patience: int = 0
    """Looks at the validation split without a better one after which the training ends; 0: never (E4)."""

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> "NetworkParameters":
        """Of one level of the training parameters. KeyError, TypeError or ValueError where it is none."""
        return cls(
            base_lr=float(given["base_lr"]),
            batch_size=int(given["batch_size"]),
            max_iter=int(given["max_iter"]),
            weight_decay=float(given.get("weight_decay", 0.0)),
            momentum=float(given.get("momentum", 0.0)),
            lr_policy=cast("LrPolicy", given.get("lr_policy", "fixed")),
            power=float(given.get("power", 0.0)),
            gamma=float(given.get("gamma", 0.0)),
            patience=int(given.get("patience", 0)),
        )

    def faults(self) -> list[str]:
        """The rules that they break."""
        rules = {
            "base_lr must be positive": self.base_lr > 0,
            "batch_size must be at least 1": self.batch_size >= 1,
            "max_iter must be at least 1": self.max_iter >= 1,
            "weight_decay must not be negative": self.weight_decay >= 0,
            "momentum must be in [0, 1)": 0 <= self.momentum < 1,
            "patience must not be negative": self.patience >= 0,
            f"lr_policy must be one of {LR_POLICIES}": self.lr_policy in LR_POLICIES,
        }
        return [rule for rule, kept in rules.items() if not kept]

    @property
    def schedule(self) -> Schedule:
        """The learning rate at every iteration."""
        return Schedule(self.lr_policy, self.base_lr, self.max_iter, self.gamma, self.power)


@dataclass(frozen=True)
class TrainingRecipe:
    """Everything that decides the weights, beside the samples themselves."""

    network: str
    codes: tuple[str, ...]
    """`code_list`; from `num_of_classes` on they are special defects."""
    num_of_classes: int
    classification: NetworkParameters
    segmentation: NetworkParameters | None
    """None where only the classifier is trained (W9, W11)."""
    input_specification: InputSpecification
    train_fraction: float
    filter_resolution: bool
    augmentations: frozenset[str]
    """Of colour, scale, flip, random (W10)."""
    seed: int
    checkpoint_interval_s: float = 60.0
    """At most this much work is lost with the machine. A checkpoint changes no number, so time may decide
    when."""
    threads: int | None = None
    """Of torch on the CPU; results are reproducible for a given number."""
    class_balance: float | None = None
    """0 draws samples as they come, 1 draws every class equally often, between is between; None: as suits how
    images are seen. W8 has no such parameter."""

    @classmethod
    def from_order(cls, order: order_pb2.Order) -> "TrainingRecipe":
        """From a train order. Raises UserFault BAD_ORDER that names the entry."""
        train, work = order.train, order.train.work
        preprocessing = work.preprocessing
        try:
            parameters = json_format.MessageToDict(work.training_params)
            recipe = cls(
                network=work.classification_network,
                codes=tuple(work.code_list),
                num_of_classes=work.num_of_classes,
                classification=NetworkParameters.from_json(parameters["classification"]),
                segmentation=NetworkParameters.from_json(parameters["segmentation"])
                if work.train_segmentation
                else None,
                input_specification=checked(input_messages.from_message(work.input)),
                train_fraction=preprocessing.train_fraction or _DEFAULT_TRAIN_FRACTION,
                filter_resolution=preprocessing.filter_resolution,
                augmentations=frozenset(map(_augmentation, preprocessing.augmentations)),
                seed=work.seed,
                checkpoint_interval_s=train.checkpoint_interval_s or cls.checkpoint_interval_s,
                threads=order.threads or None,
                class_balance=train.class_balance if train.HasField("class_balance") else None,
            )
        except KeyError as error:
            raise BadOrder(f"the order lacks {error}") from error
        except (TypeError, ValueError) as error:
            raise BadOrder(f"the order cannot be read: {error}") from error
        recipe._refuse_nonsense()
        return recipe

    def _refuse_nonsense(self) -> None:
        """The wizard refuses these earlier and in two languages; here they would cost a training."""
        rules = {
            "num_of_classes must be in 2..len(codes)": 2 <= self.num_of_classes <= len(self.codes),
            "codes must be unique": len(set(self.codes)) == len(self.codes),
            "train_fraction must be in (0, 1)": 0 < self.train_fraction < 1,
            f"augmentations must be of {AUGMENTATIONS}": self.augmentations <= set(AUGMENTATIONS),
            "class_balance must be in [0, 1]": self.class_balance is None or 0 <= self.class_balance <= 1,
        }
        broken = [rule for rule, kept in rules.items() if not kept]
        for network in self.networks:
            broken += network.faults()
        if self.segmentation and len(self.codes) >= UNKNOWN:
            broken.append(f"a segmentation network knows fewer than {UNKNOWN} codes")
        if broken:
            raise BadOrder("; ".join(broken))

    @property
    def smallest_batch(self) -> int:
        """Of any network that is trained."""
        return min(network.batch_size for network in self.networks)

    @property
    def networks(self) -> tuple[NetworkParameters, ...]:
        """In the order of their training."""
        return (self.classification, self.segmentation) if self.segmentation else (self.classification,)

    @property
    def class_codes(self) -> tuple[str, ...]:
        """The softmax's classes, in order."""
        return self.codes[: self.num_of_classes]

    def to_json(self) -> dict[str, Any]:
        """For the certificate."""
        return asdict(self) | {
            "augmentations": sorted(self.augmentations),
            "input_specification": to_certificate(self.input_specification),
        }

    def digest(self, data_digest: str) -> str:
        """Of everything that decides the loss curve: a checkpoint resumes only under the same one."""
        decides = self.to_json() | {"data": data_digest}
        del decides["checkpoint_interval_s"], decides["threads"]
        for network in (decides["classification"], decides["segmentation"] or {}):
            if not network.get("patience"):
                network.pop("patience", None)  # as before there was one
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def _augmentation(value: task_pb2.Augmentation.ValueType) -> str:
    return task_pb2.Augmentation.Name(value).removeprefix("AUGMENTATION_").lower()
