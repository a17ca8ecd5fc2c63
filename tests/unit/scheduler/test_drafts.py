"""Drafts of the wizard (W14)."""

import pytest
from loupe.errors import InvalidArgument
from loupe.scheduler.v1 import draft_pb2, task_pb2

from services.kit.etag import EtagMismatch
from services.scheduler.domain.draft import MAX_BYTES, BadDraft, Draft
from services.scheduler.wire import drafts

NOT_KEPT = Draft("users/a", "new", b"", 1)
KEPT = Draft("users/a", "new", b"x", 1, revision=5)


def test_only_who_saw_the_draft_replaces_it() -> None:
    """Two windows of one person: the second one's answers do not vanish under the first one's."""
    NOT_KEPT.require_etag("")
    KEPT.require_etag(KEPT.etag)
    for draft, etag in ((NOT_KEPT, "5"), (KEPT, ""), (KEPT, "4")):
        with pytest.raises(EtagMismatch):
            draft.require_etag(etag)


@pytest.mark.parametrize(
    "draft",
    [Draft("u", "new", b"", 0), Draft("u", "new", b"", 6), Draft("u", "n", b"x" * (MAX_BYTES + 1), 1)],
)
def test_what_is_no_page_or_too_much_is_refused(draft: Draft) -> None:
    with pytest.raises(BadDraft):
        draft.require_sound()


def test_answers_come_back_as_they_were_given() -> None:
    """Half a text of JSON is an answer too."""
    spec = task_pb2.TrainingSpec(model_name="9", model_params_json='{"cl', data_paths=["datasets/d/paths/p"])
    kept = drafts.draft_of(draft_pb2.Draft(name="drafts/m.v3.01", training=spec, step=3), "users/a")
    assert (kept.owner, kept.id, kept.step) == ("users/a", "m.v3.01", 3)
    shown = drafts.draft(Draft(kept.owner, kept.id, kept.training, kept.step, revision=2))
    assert (shown.name, shown.training, shown.step, shown.etag) == ("drafts/m.v3.01", spec, 3, "2")
    nothing = drafts.draft(NOT_KEPT)
    assert not nothing.HasField("training")
    assert not nothing.etag


@pytest.mark.parametrize(
    "message",
    [
        draft_pb2.Draft(name="drafts/new"),
        draft_pb2.Draft(name="tasks/new", training=task_pb2.TrainingSpec()),
        draft_pb2.Draft(name="drafts/a/b", training=task_pb2.TrainingSpec()),
        draft_pb2.Draft(name="drafts/new", training=task_pb2.TrainingSpec(target_major=3)),
    ],
)
def test_what_is_no_draft_is_refused(message: draft_pb2.Draft) -> None:
    with pytest.raises(InvalidArgument):
        drafts.draft_of(message, "users/a")
