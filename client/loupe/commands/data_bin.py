"""`loupe data delete`, `bin`, `restore` and `purge` (D8)."""

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, remote
from loupe.registry.v1 import dataset_service_pb2
from loupe.rendering import local_time, message_json, table

deleted_argument = click.argument("name", metavar="DATASET/PATH.N")


@click.command(short_help="Move a data path into the bin.")
@click.argument("name", metavar="DATASET/PATH")
@remote
async def delete(session: Session, name: str) -> None:
    """Move a data path into the bin, where nothing uses it and it can be restored; its name is free at once.

    Not what a task was submitted with: its report must lead to its data (W12).

    \b
    Example:
      loupe data delete panels/line-3
    """
    deleted = await session.client.datasets.DeleteDataPath(
        dataset_service_pb2.DeleteDataPathRequest(name=names.data_path(name))
    )
    short = names.short(deleted.name)
    session.out.answer(
        message_json(deleted), f"{names.short(deleted.data_path.name)} is in the bin, as {short}"
    )
    session.out.hint(f"next: loupe data restore {short}, until {local_time(deleted.purge_time)}")


@click.command("bin", short_help="List deleted data paths.")
@click.option("--dataset", default="-", metavar="NAME", help="Of this dataset only.")
@remote
async def bin_(session: Session, dataset: str) -> None:
    """List the deleted data paths that can be restored."""
    request = dataset_service_pb2.ListDeletedDataPathsRequest(
        parent=names.resource("datasets", dataset), page_size=500
    )
    found = [
        item async for item in pages(session.client.datasets.ListDeletedDataPaths, request, "data_paths")
    ]
    rows = [
        (
            names.short(item.name),
            str(item.data_path.sample_count),
            names.short(item.data_path.owner),
            f"{local_time(item.delete_time)} by {names.short(item.deleter)}",
            local_time(item.purge_time),
            item.data_path.description,
        )
        for item in found
    ]
    columns = ("PATH", "SAMPLES", "OWNER", "DELETED", "KEPT UNTIL", "DESCRIPTION")
    session.out.answer(
        {"deletedDataPaths": [message_json(item) for item in found]},
        table(*columns, rows=rows, right=("SAMPLES",)) if rows else "the bin is empty",
    )


@click.command(short_help="Restore a data path from the bin.")
@deleted_argument
@click.option("--as", "path", default="", metavar="PATH", help="Another name, where its own is taken.")
@remote
async def restore(session: Session, name: str, path: str) -> None:
    """Take a data path out of the bin, with all that it listed.

    \b
    Examples:
      loupe data bin
      loupe data restore panels/line-3.17
      loupe data restore panels/line-3.17 --as line-3-old
    """
    restored = await session.client.datasets.RestoreDataPath(
        dataset_service_pb2.RestoreDataPathRequest(name=names.deleted_path(name), data_path_id=path)
    )
    session.out.answer(
        message_json(restored), f"{names.short(restored.name)} is back: {restored.sample_count} samples"
    )


@click.command(short_help="Remove a data path from the bin for good.")
@deleted_argument
@remote
async def purge(session: Session, name: str) -> None:
    """Remove a data path from the bin for good, before its time. For administrators."""
    name = names.deleted_path(name)
    await session.client.datasets.PurgeDataPath(dataset_service_pb2.PurgeDataPathRequest(name=name))
    session.out.answer({"purged": name}, f"purged {names.short(name)}")
