"""The codes with which a task can fail, and what to do about each (M6)."""

from collections.abc import Mapping
from enum import StrEnum

from loupe.translation import Sentence, sentence


class FailureCode(StrEnum):
    """Stable codes; REMEDIES has a remedy for each."""

    # The order or its data.
    BAD_DATA = "BAD_DATA"
    BAD_ORDER = "BAD_ORDER"
    CODE_ON_ONE_SIDE = "CODE_ON_ONE_SIDE"
    NAN_LOSS = "NAN_LOSS"
    NO_MASKS = "NO_MASKS"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    # A package.
    CANNOT_BUILD = "CANNOT_BUILD"
    NOT_PACKAGEABLE = "NOT_PACKAGEABLE"
    # Weights.
    WEIGHTS_MISMATCH = "WEIGHTS_MISMATCH"
    WEIGHTS_NEWER_FORMAT = "WEIGHTS_NEWER_FORMAT"
    WEIGHTS_NOT_CERTIFIED = "WEIGHTS_NOT_CERTIFIED"
    WEIGHTS_OTHER_RULE = "WEIGHTS_OTHER_RULE"
    WEIGHTS_TAMPERED = "WEIGHTS_TAMPERED"
    WEIGHTS_UNREADABLE = "WEIGHTS_UNREADABLE"
    # What is stored.
    CACHE_UNUSABLE = "CACHE_UNUSABLE"
    CHECKPOINT_UNUSABLE = "CHECKPOINT_UNUSABLE"
    OBJECTS_LOST = "OBJECTS_LOST"
    OBJECT_CORRUPT = "OBJECT_CORRUPT"
    OBJECT_MISSING = "OBJECT_MISSING"
    OBJECT_UNAVAILABLE = "OBJECT_UNAVAILABLE"
    RESULT_NOT_STORED = "RESULT_NOT_STORED"
    # The machine, and the processes on it.
    CHILD_DIED = "CHILD_DIED"
    CHILD_HUNG = "CHILD_HUNG"
    CHILD_PROTOCOL = "CHILD_PROTOCOL"
    DEVICE_LOST = "DEVICE_LOST"
    DISK_FULL = "DISK_FULL"
    INTERNAL = "INTERNAL"
    PROCESS_LOST = "PROCESS_LOST"
    WORKER_LOST = "WORKER_LOST"
    # More faults of the infrastructure than the limit.
    INFRASTRUCTURE_RETRIES = "INFRASTRUCTURE_RETRIES"


_AGAIN = sentence("start the task again; if it fails again, give its name and the code to the operator")
_CREATE = sentence("create the task again; if it fails again, give its name and the cause to the operator")
_WEIGHTS = sentence("choose another version, and give the cause to the operator")
_STORE = sentence(
    "the operator should run loupe check and look at the object store; then start the task again, or import "
    "the pictures again"
)
_DISK = sentence("the operator should look at the disk of the worker; then start the task again")
_UPDATE = sentence("the operator should update the worker; then start the task again")

REMEDIES: Mapping[str, Sentence] = {
    FailureCode.BAD_DATA: _CREATE,
    FailureCode.BAD_ORDER: sentence(
        "create the task again with other parameters; if it fails again, the operator should update "
        "the worker"
    ),
    FailureCode.CODE_ON_ONE_SIDE: sentence(
        "bring pictures of another group (panel, tile, lot), or leave the code out, and create the task again"
    ),
    FailureCode.NAN_LOSS: sentence("create the task again with a lower base_lr"),
    FailureCode.NO_MASKS: sentence("import masks, or create the task again without segmentation"),
    FailureCode.OUT_OF_MEMORY: sentence(
        "create the task again with a lower batch_size, or on a compute resource with more memory"
    ),
    FailureCode.CANNOT_BUILD: sentence(
        "the operator should install a compiler on the evaluator worker; then start the task again"
    ),
    FailureCode.NOT_PACKAGEABLE: sentence("export another version, or in another format"),
    FailureCode.WEIGHTS_MISMATCH: _WEIGHTS,
    FailureCode.WEIGHTS_NEWER_FORMAT: _UPDATE,
    FailureCode.WEIGHTS_NOT_CERTIFIED: _WEIGHTS,
    FailureCode.WEIGHTS_OTHER_RULE: sentence("train the model again, and use the new version"),
    FailureCode.WEIGHTS_TAMPERED: _WEIGHTS,
    FailureCode.WEIGHTS_UNREADABLE: _WEIGHTS,
    FailureCode.CACHE_UNUSABLE: _DISK,
    FailureCode.CHECKPOINT_UNUSABLE: _AGAIN,
    FailureCode.OBJECTS_LOST: _STORE,
    FailureCode.OBJECT_CORRUPT: _STORE,
    FailureCode.OBJECT_MISSING: _STORE,
    FailureCode.OBJECT_UNAVAILABLE: _STORE,
    FailureCode.RESULT_NOT_STORED: _AGAIN,
    FailureCode.CHILD_DIED: _AGAIN,
    FailureCode.CHILD_HUNG: _AGAIN,
    FailureCode.CHILD_PROTOCOL: _UPDATE,
    FailureCode.DEVICE_LOST: sentence(
        "the operator should look at the GPU of the worker; then start the task again"
    ),
    FailureCode.DISK_FULL: sentence(
        "the operator should make room on the disk of the worker; then start the task again"
    ),
    FailureCode.INTERNAL: _AGAIN,
    FailureCode.PROCESS_LOST: _AGAIN,
    FailureCode.WORKER_LOST: sentence(
        "the operator should look whether the worker and its network are up; then start the task again"
    ),
    FailureCode.INFRASTRUCTURE_RETRIES: sentence(
        "the operator should mend what the last fault names; then start the task again"
    ),
}


def remedy_of(code: str) -> Sentence:
    """What to do about a failure, also about a code that another version of a worker reported."""
    return REMEDIES.get(code, _AGAIN)
