"""`loupe verify`."""

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
from loupe.commands.session import Output, Session, connected, local
from loupe.extras import COMPARISON, MissingExtra
from loupe.failures import Refused
from loupe.language import translated
from loupe.registry.v1 import model_service_pb2
from loupe.rendering import facts
from loupe.saving import save_bytes
from loupe.signatures import BadKey, PublicKeys, Signed
from loupe.verifying import Candidate, candidate, copied, require_signature

_IMAGES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


@click.command(short_help="Check a package's signature, bytes and predictions.")
@click.argument("package", type=click.Path(path_type=Path, exists=True))
@click.argument("images", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="PEM file of the keys to trust; default those of the registry. `loupe keys` prints them.",
)
@click.option("--version", "against", metavar="MODEL@VERSION", help="Default what the package says it is.")
@local
def verify(  # noqa: PLR0913, PLR0917 -- one an option
    out: Output,
    data_dir: Path | None,
    package: Path,
    images: tuple[Path, ...],
    key: Path | None,
    against: str | None,
) -> None:
    """Check who signed a package, then its bytes by the registry's record, then what it predicts.

    A package is a program: run only what verifies. Nothing of it runs here before its signature and its bytes
    are known.

    The signature (X6) must be by one of the registry's keys. With --key it must be by a key of that file, and
    without IMAGES no server is asked: so an inspection machine checks what it was given. A package that was
    made before packages were signed is said to be unsigned; with --key it is refused.

    Then the files: where library or networks are not those on record, the package is refused by name. So it
    is where config.yaml says anything else; only filter_resolution, thresholds and min_area_px are an
    operator's to change. Where no package of the version is on record, or with --version of another model,
    only the networks are compared, in this machine's own library; that in the package is not checked.

    With IMAGES, which are files, or folders with all that is below, the predictions are compared too, which
    needs torch. Prints the largest difference. Exit code 1 if they are not the same model: another code
    anywhere, a score more than 1e-4 away, or more than 0.1 % of the masks' pixels.

    \b
    Examples:
      loupe verify panel-adc-v3.01.zip --key keys.pem
      loupe verify panel-adc-v3.01.zip /tmp/panels
    """
    try:
        keys = None if key is None else PublicKeys.read(key)
    except BadKey as error:
        raise Refused(str(error)) from error
    if keys and not images and against is None:
        out.answer(*_checked_offline(package, keys))
        return
    files = _comparable(images) if images else []

    async def compare(session: Session) -> None:
        await _compare(session, package, files, keys, against)

    connected(out, data_dir, compare)


def _checked_offline(package: Path, keys: PublicKeys) -> tuple[dict[str, Any], Any]:
    with TemporaryDirectory(prefix="loupe-verify-") as folder:
        contents = copied(package, Path(folder))
        signed = require_signature(package, contents, keys)
        answer = {"modelVersion": names.model_version(contents.model_version), **_signature(signed)}
    return answer, facts({"version": names.short(answer["modelVersion"]), **_signature_facts(answer)})


def _comparable(images: Iterable[Path]) -> list[Path]:
    """The images to compare with; MissingExtra without what predicts them."""
    for package_name in ("torch", "services"):
        if importlib.util.find_spec(package_name) is None:
            raise MissingExtra(COMPARISON, package_name)
    files = sorted(_files(images))
    if not files:
        raise Refused(f"there is no image in {', '.join(map(str, images))}")
    return files


async def _compare(
    session: Session, package: Path, files: list[Path], keys: PublicKeys | None, against: str | None
) -> None:
    with TemporaryDirectory(prefix="loupe-verify-") as folder:
        copied = await candidate(session.client, package, against, Path(folder), keys)
        answer: dict[str, Any] = {
            "modelVersion": copied.version.name,
            **_signature(copied.signed),
            "isReleasedFile": copied.is_released_file,
            "isLibraryChecked": copied.is_on_record,
            "changedFiles": list(copied.changed),
        }
        if files:
            link = await session.client.models.LinkWeights(
                model_service_pb2.LinkWeightsRequest(name=copied.version.name)
            )
            weights = Path(folder) / "weights.safetensors"
            await save_bytes(weights, session.client.linked(link.url, "the weights"), sha256=link.sha256)
            session.out.say(f"predicting {len(files)} images with both")
            answer |= await _compared(copied, weights, files)
    session.out.answer(answer, facts(_summary(answer)))
    if not files:
        return
    if not answer["images"]:
        raise Refused(f"none of the {len(files)} images could be read, so nothing was compared")
    if not answer["agrees"]:
        raise Refused(f"{package} does not say what {names.short(copied.version.name)} says")


def _signature(signed: Signed | None) -> dict[str, Any]:
    if signed is None:
        return {"isSigned": False}
    return {
        "isSigned": True,
        "signingKey": signed.signature.key,
        "task": signed.signature.task,
        "isConfigChanged": signed.is_config_changed,
    }


def _signature_facts(answer: dict[str, Any]) -> dict[str, str]:
    if not answer["isSigned"]:
        return {"signature": translated("NONE: the package was made before packages were signed")}
    return {
        "signature": translated("right, by the key {key}", key=answer["signingKey"]),
        "made by": answer["task"],
        "config.yaml": translated("changed by an operator, only where an operator may")
        if answer["isConfigChanged"]
        else translated("as it was exported"),
    }


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
    told = {
        "version": names.short(answer["modelVersion"]),
        **_signature_facts(answer),
        "released file": _released_file(answer),
        "library": "the registry's"
        if answer["isLibraryChecked"]
        else "NOT checked and not run: the networks run in this machine's own",
    }
    if "otherCodes" not in answer:
        return told
    others = answer["otherCodes"]
    return {
        **told,
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
