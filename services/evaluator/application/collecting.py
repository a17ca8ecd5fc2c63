"""What the evaluator's garbage collection deletes: predicted masks that no report names."""

from services.evaluator.storage.samples import SampleRows
from services.kit.orphans import Folder

# A mask that is predicted again is written again (ObjectStore.put_content), which makes it young.
FOLDERS = (Folder("masks", ".png", lambda session, sha256s: SampleRows(session).named_masks(sha256s)),)
