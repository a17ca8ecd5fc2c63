"""What the registry's rows name in the object store, and announce in the streams."""

from loupe.translation import sentence

from services.kit.checking import AnnouncedRows, NamedObjects


def objects() -> list[NamedObjects]:
    """Samples with their masks, manifests, packages, and the weights of versions."""
    restore = sentence("restore it from a backup")
    return [
        NamedObjects(
            folder="samples",
            suffix="",
            rows="SELECT encode(sha256, 'hex'), size_bytes, reject_reason IS NULL FROM objects",
            named_by="""
                SELECT encode(named.sha256, 'hex'), coalesce(
                    min('datasets/' || p.dataset || '/paths/' || p.id) FILTER (WHERE p.delete_time IS NULL),
                    min('datasets/' || p.dataset || '/deletedPaths/' || p.id || '.' || p.key)
                )
                FROM samples s JOIN data_paths p ON p.key = s.path
                CROSS JOIN LATERAL (VALUES (s.sha256), (s.mask_sha256)) AS named (sha256)
                WHERE named.sha256 IN (SELECT decode(hash, 'hex') FROM unnest(:hashes) AS hash)
                GROUP BY named.sha256
            """,
            cure=sentence("import the folder again: what is lost is uploaded again; else restore a backup"),
            mark="UPDATE objects SET damaged = true "
            "WHERE sha256 IN (SELECT decode(hash, 'hex') FROM unnest(:hashes) AS hash)",
        ),
        NamedObjects(
            folder="manifests",
            suffix=".jsonl",
            rows="SELECT DISTINCT encode(sha256, 'hex'), CAST(NULL AS bigint), true FROM snapshots",
            named_by="""
                SELECT encode(s.sha256, 'hex'), min('datasets/' || p.dataset || '/paths/' || p.id)
                FROM snapshots s JOIN data_paths p ON p.key = s.path
                WHERE s.sha256 IN (SELECT decode(hash, 'hex') FROM unnest(:hashes) AS hash)
                GROUP BY s.sha256
            """,
            cure=sentence(
                "if the data path has not changed since, submit a task on it, which writes it again; "
                "else restore a backup"
            ),
        ),
        NamedObjects(
            folder="packages",
            suffix=".zip",
            rows="SELECT DISTINCT encode(sha256, 'hex'), size_bytes, true FROM packages",
            named_by=_versions_with("packages", "sha256"),
            cure=restore,
        ),
        NamedObjects(
            folder="weights",
            suffix=".safetensors",
            rows="SELECT DISTINCT encode(weights_sha256, 'hex'), CAST(NULL AS bigint), true "
            "FROM model_versions",
            named_by=_versions_with("model_versions", "weights_sha256"),
            cure=restore,
            owned=False,
        ),
    ]


def announced() -> list[AnnouncedRows]:
    """Versions and packages."""
    return [
        AnnouncedRows(
            stream="MODELS",
            subjects=f"loupe.models.*.{what}",
            rows=f"SELECT 'loupe.models.' || model || '.{what}', count(*) FROM {table} "  # noqa: S608 -- our own
            "WHERE create_time > :since GROUP BY model",
        )
        for table, what in (("model_versions", "released"), ("packages", "packaged"))
    ]


def _versions_with(table: str, column: str) -> str:
    return f"""
        SELECT encode({column}, 'hex'), min('models/' || model || '/versions/v' || major || '.'
            || lpad(CAST(release_number AS text), greatest(2, length(CAST(release_number AS text))), '0'))
        FROM {table} WHERE {column} IN (SELECT decode(hash, 'hex') FROM unnest(:hashes) AS hash)
        GROUP BY {column}
    """  # noqa: S608 -- names of our own
