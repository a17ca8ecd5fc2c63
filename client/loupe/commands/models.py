"""`loupe models`, `alias` and `archive`."""

import asyncio

import click
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, remote
from loupe.registry.v1 import algorithm_image_pb2, model_pb2, model_service_pb2
from loupe.rendering import enum_word, facts, local_time, looks, message_json, percent, table
from loupe.text import human_bytes
from rich.console import Group


@click.command(short_help="List released models and their versions.")
@click.argument("name", required=False, metavar="[MODEL[@VERSION]]")
@click.option("--contains", default="", help="Only models whose name contains this.")
@click.option("--environment", default="", help="Only models for this production environment.")
@click.option("--archived", is_flag=True, help="Archived versions too.")
@remote
async def models(
    session: Session, name: str | None, contains: str, environment: str, *, archived: bool
) -> None:
    """List the library (R3), show a model with its versions, or one version with its lineage.

    \b
    Examples:
      loupe models
      loupe models panel-adc
      loupe models panel-adc@v3.01 --json | jq .snapshots
    """
    if name is None:
        await _list(session, contains, environment)
    elif "@" in name:
        await _version(session, name)
    else:
        await _model(session, name, archived=archived)


async def _list(session: Session, contains: str, environment: str) -> None:
    request = model_service_pb2.ListModelsRequest(
        page_size=500,
        name_contains=contains,
        production_environment=names.resource("productionEnvironments", environment) if environment else "",
    )
    found = [item async for item in pages(session.client.models.ListModels, request, "models")]
    rows = [
        (
            names.short(model.name),
            names.short(model.latest_version).partition("@")[2],
            enum_word(algorithm_image_pb2.TaskType, model.task_type).lower().replace("_", " + "),
            names.short(model.production_environment),
            names.short(model.last_modifier),
            local_time(model.update_time),
        )
        for model in found
    ]
    session.out.answer(
        {"models": [message_json(model) for model in found]},
        table("MODEL", "LATEST", "TYPE", "ENVIRONMENT", "MODIFIED BY", "MODIFIED", rows=rows)
        if rows
        else "no released model; `loupe release TASK` makes one",
    )


async def _model(session: Session, name: str, *, archived: bool) -> None:
    resource = names.resource("models", name)
    model = await session.client.models.GetModel(model_service_pb2.GetModelRequest(name=resource))
    request = model_service_pb2.ListModelVersionsRequest(
        parent=resource, page_size=500, show_archived=archived
    )
    versions = [item async for item in pages(session.client.models.ListModelVersions, request, "versions")]
    official = await asyncio.gather(*(session.client.official_report(version.name) for version in versions))
    rows = [
        (
            names.short(version.name).partition("@")[2],
            ", ".join(version.aliases),
            "none" if report is None else percent(report.overall.accuracy.value),
            names.short(version.algorithm_image_version),
            names.short(version.parent_version).partition("@")[2] if version.parent_version else "",
            names.short(version.task),
            names.short(version.releaser),
            local_time(version.create_time),
        )
        for version, report in zip(versions, official, strict=True)
    ]
    columns = (
        "VERSION",
        "ALIASES",
        "ACCURACY",
        "IMAGE",
        "PARENT",
        "TASK",
        "RELEASED BY",
        "RELEASED",
    )
    head = facts(
        {
            "model": names.short(model.name),
            "environment": names.short(model.production_environment),
            "type": enum_word(algorithm_image_pb2.TaskType, model.task_type).lower().replace("_", " + "),
        }
    )
    session.out.answer(
        {"model": message_json(model), "versions": [message_json(version) for version in versions]},
        Group(head, "", table(*columns, rows=rows)),
    )


async def _version(session: Session, name: str) -> None:
    version = await session.client.models.GetModelVersion(
        model_service_pb2.GetModelVersionRequest(name=names.model_version(name))
    )
    official = await session.client.official_report(version.name)
    special = version.code_list[version.num_of_classes :]
    session.out.answer(
        message_json(version),
        facts(
            {
                "version": names.short(version.name) + (" (archived)" if version.archived else ""),
                "aliases": ", ".join(version.aliases),
                "environment": names.short(version.production_environment),
                "codes": ", ".join(version.code_list[: version.num_of_classes])
                + (f"; special {', '.join(special)}" if special else ""),
                "input": f"{version.input.width}×{version.input.height}×{version.input.channels}",
                "image": names.short(version.algorithm_image_version),
                "parent": names.short(version.parent_version) if version.parent_version else "",
                "task": version.task,
                "official report": "none: no prediction over data that it was not trained with has ended (P7)"
                if official is None
                else f"{official.name}, accuracy {percent(official.overall.accuracy.value)}",
                "validation report": version.report,
                "weights": "\n".join(filter(None, (looks(version), f"sha256 {version.weights_sha256}"))),
                "packages": "\n".join(
                    f"{enum_word(model_pb2.PackageFormat, package.format)}, "
                    f"{human_bytes(package.size_bytes)}, sha256 {package.sha256}"
                    for package in version.packages
                ),
                "seed": str(version.seed),
                "data": "\n".join(version.snapshots),
                "released": f"{local_time(version.create_time)} by {names.short(version.releaser)}",
            }
        ),
    )


@click.command(short_help="Put an alias such as production on a version.")
@click.argument("version", metavar="MODEL@VERSION")
@click.argument("name", metavar="ALIAS")
@remote
async def alias(session: Session, version: str, name: str) -> None:
    """Put an alias on a version (R4), taking it from the one that had it. Moves are in the audit log.

    \b
    Example:
      loupe alias panel-adc@v3.02 production && loupe predict panel-adc@production --dataset bank
    """
    found = await session.client.models.SetAlias(
        model_service_pb2.SetAliasRequest(name=names.model_version(version), alias=name)
    )
    session.out.answer(message_json(found), f"{names.short(found.name)} is {', '.join(found.aliases)}")


@click.command(short_help="Hide a version, or bring it back.")
@click.argument("version", metavar="MODEL@VERSION")
@click.option("--restore", is_flag=True, help="Take it out of the archive again.")
@click.option("--keep-aliases", is_flag=True, help="Though it carries aliases, which go on leading to it.")
@remote
async def archive(session: Session, version: str, *, restore: bool, keep_aliases: bool) -> None:
    """Hide a version from lists (R4). Nothing is deleted: `loupe models MODEL --archived` shows it.

    A version that carries an alias, such as production, is refused unless you say that the alias stays.
    """
    found = await session.client.models.ArchiveModelVersion(
        model_service_pb2.ArchiveModelVersionRequest(
            name=names.model_version(version), restore=restore, keep_aliases=keep_aliases
        )
    )
    state = "archived" if found.archived else "in the library"
    session.out.answer(message_json(found), f"{names.short(found.name)} is {state}")
