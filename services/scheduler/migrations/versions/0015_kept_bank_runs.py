"""What became of the tests with question banks after releases: the task, or the refusals (P8)."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # NULL: refused.
    """
    CREATE TABLE bank_runs (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        question_bank text COLLATE "C" NOT NULL,
        revision integer NOT NULL,
        model_version text COLLATE "C" NOT NULL,
        task text COLLATE "C",
        refusals jsonb NOT NULL,
        create_time timestamptz NOT NULL,
        UNIQUE (question_bank, model_version),
        CHECK ((task IS NULL) = (refusals <> '[]'))
    )
    """,
    "CREATE INDEX bank_runs_newest ON bank_runs (question_bank, id DESC)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
