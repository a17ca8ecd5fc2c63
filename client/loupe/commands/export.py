"""`loupe export`."""

from pathlib import Path

import click
from loupe import names
from loupe.commands.session import Session, remote
from loupe.commands.watch import fail_unless_good, follow
from loupe.exporting import Exported, export_version
from loupe.registry.v1 import model_pb2
from loupe.rendering import is_for_people, message_json
from loupe.text import human_bytes
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


@click.command(short_help="Save the package of a version, for inspection machines.")
@click.argument("version", metavar="MODEL@VERSION")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write, or a folder; default MODEL-VERSION.zip here.",
)
@click.option("--onnx", is_flag=True, help="The networks as ONNX, for a runtime of your own.")
@click.option("--resource", default="", help="Compute resource to make it; default that of the training.")
@remote
async def export(session: Session, version: str, output: Path | None, resource: str, *, onnx: bool) -> None:
    """Save a version's package (X): one zip with models.xbin, libCsotArtifact.so and config.yaml.

    It is made at the first export, as a task; afterwards it is there, with the same bytes for everybody. What
    is saved has the SHA-256 that the registry has on record. VERSION may be an alias or `latest`.

    \b
    Examples:
      loupe export panel-adc@v3.01
      loupe export panel-adc@production -o /srv/packages --onnx
    """
    exported = await save_package(
        session,
        names.model_version(version),
        output,
        model_pb2.PACKAGE_FORMAT_ONNX if onnx else model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT,
        names.resource("computeResources", resource) if resource else "",
    )
    package, file = exported.package, exported.file
    session.out.answer(
        {"file": str(file), "package": message_json(package)},
        f"{file}: {human_bytes(package.size_bytes)}, sha256 {package.sha256}",
    )
    if not onnx:
        session.out.hint(f"next: loupe verify {file} IMAGES…")


async def save_package(
    session: Session,
    version: str,
    output: Path | None,
    wanted: model_pb2.PackageFormat.ValueType,
    resource: str = "",
) -> Exported:
    """Export, telling how far it is where a person looks."""
    console = session.out.stderr

    async def shown(task: str) -> None:
        session.out.say(f"{names.short(version)} is packaged by {task}")
        fail_unless_good(await follow(session, task))

    with Progress(
        TextColumn("downloading"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not is_for_people(console),
        transient=True,
    ) as bar:
        download = bar.add_task("download", visible=False)
        return await export_version(
            session.client,
            version,
            output,
            wanted,
            follow=shown,
            resource=resource,
            on_bytes=lambda done, whole: bar.update(download, completed=done, total=whole, visible=True),
        )
