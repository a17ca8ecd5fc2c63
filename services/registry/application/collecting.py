"""What the registry's garbage collection deletes: objects that were uploaded and never added or recorded."""

from services.kit.orphans import Folder
from services.registry.storage.datasets import Snapshots
from services.registry.storage.models import PACKAGES, Models
from services.registry.storage.samples import ObjectRows

FOLDERS = (
    # A sample that is in no listing any more has a row: manifests of snapshots may name it.
    Folder("samples", "", lambda session, sha256s: ObjectRows(session).get(sha256s)),
    Folder("manifests", ".jsonl", lambda session, sha256s: Snapshots(session).named(sha256s)),
    # Packages of exports that failed, or whose version had a package already.
    Folder(PACKAGES, ".zip", lambda session, sha256s: Models(session).named_packages(sha256s)),
)
