"""What data paths store, how much datasets and users may (D10), and the replicas of the registry."""

from alembic import op

from services.kit import replicas

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE data_paths ADD COLUMN size_bytes bigint NOT NULL DEFAULT 0",
    # A trigger, not our statements: replicas of the last release list samples, too (docs/decisions/0092).
    """
    CREATE FUNCTION samples_count_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP <> 'DELETE' THEN
            UPDATE data_paths p SET size_bytes = p.size_bytes + added.bytes
            FROM (
                SELECT n.path, sum(coalesce(i.size_bytes, 0) + coalesce(m.size_bytes, 0)) AS bytes
                FROM new_rows n
                LEFT JOIN objects i ON i.sha256 = n.sha256
                LEFT JOIN objects m ON m.sha256 = n.mask_sha256
                GROUP BY n.path
            ) added
            WHERE p.key = added.path;
        END IF;
        IF TG_OP <> 'INSERT' THEN
            UPDATE data_paths p SET size_bytes = p.size_bytes - removed.bytes
            FROM (
                SELECT o.path, sum(coalesce(i.size_bytes, 0) + coalesce(m.size_bytes, 0)) AS bytes
                FROM old_rows o
                LEFT JOIN objects i ON i.sha256 = o.sha256
                LEFT JOIN objects m ON m.sha256 = o.mask_sha256
                GROUP BY o.path
            ) removed
            WHERE p.key = removed.path;
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER samples_added AFTER INSERT ON samples REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION samples_count_bytes()
    """,
    """
    CREATE TRIGGER samples_replaced AFTER UPDATE ON samples
    REFERENCING NEW TABLE AS new_rows OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION samples_count_bytes()
    """,
    """
    CREATE TRIGGER samples_removed AFTER DELETE ON samples REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION samples_count_bytes()
    """,
    """
    UPDATE data_paths p SET size_bytes = there.bytes
    FROM (
        SELECT s.path, sum(coalesce(i.size_bytes, 0) + coalesce(m.size_bytes, 0)) AS bytes
        FROM samples s
        LEFT JOIN objects i ON i.sha256 = s.sha256
        LEFT JOIN objects m ON m.sha256 = s.mask_sha256
        GROUP BY s.path
    ) there
    WHERE p.key = there.path
    """,
    # `datasets/{dataset}`, `users/{user}`; `datasets/-`, `users/-`: each that has none of its own.
    """
    CREATE TABLE storage_quotas (
        subject text COLLATE "C" PRIMARY KEY,
        limit_bytes bigint NOT NULL CHECK (limit_bytes >= 0)
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
    replicas.create_table(op)
