"""`loupe export` and `loupe verify`."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
from loupe import names
from loupe.commands.session import Session, remote
from loupe.commands.watch import fail_unless_good, follow
from loupe.exporting import Exported, export_version
from loupe.extras import COMPARISON, MissingExtra
from loupe.failures import Refused
from loupe.registry.v1 import model_pb2, model_service_pb2
from loupe.rendering import facts, human_bytes, is_for_people, message_json
from loupe.saving import linked, save_bytes
from loupe.verifying import Candidate, candidate
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


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


@click.command(short_help="Compare a package with the released version.")
@click.argument("package", type=click.Path(path_type=Path, exists=True))
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--version", "against", metavar="MODEL@VERSION", help="Default what the package says it is.")
@remote
async def verify(session: Session, package: Path, images: tuple[Path, ...], against: str | None) -> None:
    """Compare a package with the registry's record, then its predictions with the released version's.

    IMAGES are files, or folders with all that is below. A package is a program: where its library or networks
    are not those on record, it is refused by name before anything of it runs. So it is where config.yaml says
    anything else; only filter_resolution, thresholds and min_area_px are an operator's to change. Where no
    package of the version is on record, or with --version of another model, only the networks are compared,
    in this machine's own library; that in the package is not checked.

    Prints the largest difference. Exit code 1 if they are not the same model: another code anywhere, a score
    more than 1e-4 away, or more than 0.1 % of the masks' pixels. Runs here, and needs torch.

    \b
    Example:
      loupe verify panel-adc-v3.01.zip /tmp/panels
    """
    for package_name in ("torch", "services"):
        if importlib.util.find_spec(package_name) is None:
            raise MissingExtra(COMPARISON, package_name)
    files = sorted(_files(images))
    if not files:
        raise Refused(f"there is no image in {', '.join(map(str, images))}")
    with TemporaryDirectory(prefix="loupe-verify-") as folder:
        copied = await candidate(session.client, package, against, Path(folder))
        link = await session.client.models.LinkWeights(
            model_service_pb2.LinkWeightsRequest(name=copied.version.name)
        )
        weights = Path(folder) / "weights.safetensors"
        await save_bytes(weights, linked(link.url, "the weights"), sha256=link.sha256)
        session.out.say(f"predicting {len(files)} images with both")
        result = await _compared(copied, weights, files)
    answer: dict[str, Any] = {
        "modelVersion": copied.version.name,
        "isReleasedFile": copied.is_released_file,
        "isLibraryChecked": copied.is_on_record,
        "changedFiles": list(copied.changed),
        **result,
    }
    session.out.answer(answer, facts(_summary(answer)))
    if not result["images"]:
        raise Refused(f"none of the {len(files)} images could be read, so nothing was compared")
    if not result["agrees"]:
        raise Refused(f"{package} does not say what {names.short(copied.version.name)} says")


def _files(images: Iterable[Path]) -> Iterator[Path]:
    for path in images:
        if path.is_dir():
            for below in path.rglob("*"):
                is_mask = below.name.endswith(".mask.png")
                if below.suffix.lower() in _IMAGES and below.is_file() and not is_mask:
                    yield below
        elif path.is_file():
            yield path
        else:
            raise Refused(f"{path} is no regular file")


async def _compared(copied: Candidate, weights: Path, images: list[Path]) -> dict[str, Any]:
    """In a process of its own: torch stays out of this one."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "services.evaluator.worker.packaging.verify",
            str(copied.folder),
            str(weights),
        ),
        *(() if copied.is_on_record else ("--local-library",)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(json.dumps([str(path) for path in images]).encode())
    if process.returncode:
        raise Refused(errors.decode(errors="replace").strip() or f"the comparison ended {process.returncode}")
    result: dict[str, Any] = json.loads(output)
    return result


def _summary(answer: dict[str, Any]) -> dict[str, str]:
    others = answer["otherCodes"]
    return {
        "version": names.short(answer["modelVersion"]),
        "released file": _released_file(answer),
        "library": "the registry's"
        if answer["isLibraryChecked"]
        else "NOT checked and not run: the networks ran in this machine's own",
        "images": f"{answer['images']} compared"
        + (f", {len(answer['unreadable'])} unreadable" if answer["unreadable"] else ""),
        "other codes": str(len(others))
        + "".join(f"\n{one['image']}: {one['released']} became {one['package']}" for one in others[:10]),
        "score difference": f"{answer['largestScoreDifference']:.2g} at most, "
        f"{answer['scoreTolerance']:g} allowed",
        "mask disagreement": f"{answer['maskDisagreement']:.2%} of pixels, "
        f"{answer['maskTolerance']:.1%} allowed",
        "verdict": _verdict(answer),
    }


def _released_file(answer: dict[str, Any]) -> str:
    if answer["isReleasedFile"]:
        return "yes, the registry's SHA-256"
    if not answer["isLibraryChecked"]:
        return "no: the registry has no package of this version on record to compare with"
    if answer["changedFiles"]:
        return f"no: an operator changed {', '.join(answer['changedFiles'])}, above its line `model:`"
    return "no, but each of its files is the registry's"


def _verdict(answer: dict[str, Any]) -> str:
    if not answer["agrees"]:
        return "NOT the same model" if answer["images"] else "nothing was compared"
    return "the same model" if answer["isLibraryChecked"] else "the same networks; the library is NOT checked"
