"""`loupe images`."""

import json

import click
from google.protobuf.json_format import MessageToDict
from loupe import names
from loupe.client import pages
from loupe.commands.session import Session, remote
from loupe.registry.v1 import algorithm_image_pb2, algorithm_image_service_pb2
from loupe.rendering import enum_word, facts, message_json, table
from rich.console import Group, RenderableType
from rich.text import Text


@click.command(short_help="List the algorithm images that can be trained.")
@click.argument("name", required=False, metavar="[IMAGE[@VERSION]]")
@click.option("--kind", type=click.Choice(["general", "business"]), help="Only images of this kind.")
@click.option("--environment", default="", help="Only business images of this production environment.")
@click.option("--site", default="", help="Only business images of environments with this site …")
@click.option("--product", default="", help="… this product …")
@click.option("--process-step", default="", help="… this process step …")
@click.option("--equipment", default="", help="… and this equipment.")
@remote
async def images(  # noqa: PLR0913 -- W2's conditions
    session: Session,
    *,
    name: str | None,
    kind: str | None,
    environment: str,
    site: str,
    product: str,
    process_step: str,
    equipment: str,
) -> None:
    """List algorithm images, or show one with its versions, specification and default parameters (W2).

    \b
    Examples:
      loupe images
      loupe images --process-step "Cell array"
      loupe images surface-classification
      loupe images surface-classification@v3.0 --json | jq .defaultTrainingParams
    """
    if name is None:
        wanted = algorithm_image_service_pb2.ListAlgorithmImagesRequest(
            page_size=500,
            kind=algorithm_image_pb2.ImageKind.Value(f"IMAGE_KIND_{kind.upper() if kind else 'UNSPECIFIED'}"),
            production_environment=names.resource("productionEnvironments", environment)
            if environment
            else "",
            site=site,
            product=product,
            process_step=process_step,
            equipment=equipment,
        )
        await _list(session, wanted)
    elif "@" in name:
        version = await session.client.image_version(name)
        session.out.answer(message_json(version), _specification(version))
    else:
        await _show(session, name)


async def _list(session: Session, request: algorithm_image_service_pb2.ListAlgorithmImagesRequest) -> None:
    listed = [
        item async for item in pages(session.client.images.ListAlgorithmImages, request, "algorithm_images")
    ]
    rows = [
        (
            names.short(image.name),
            names.short(image.latest_version).partition("@")[2],
            enum_word(algorithm_image_pb2.ImageKind, image.kind).lower(),
            enum_word(algorithm_image_pb2.TaskType, image.task_type).lower().replace("_", " + "),
            names.short(image.production_environment) if image.production_environment else "",
            image.description,
        )
        for image in listed
    ]
    session.out.answer(
        {"algorithmImages": [message_json(image) for image in listed]},
        table("IMAGE", "LATEST", "KIND", "TASK", "ENVIRONMENT", "DESCRIPTION", rows=rows),
    )


async def _show(session: Session, name: str) -> None:
    resource = names.resource("algorithmImages", name)
    image = await session.client.images.GetAlgorithmImage(
        algorithm_image_service_pb2.GetAlgorithmImageRequest(name=resource)
    )
    request = algorithm_image_service_pb2.ListAlgorithmImageVersionsRequest(parent=resource, page_size=100)
    versions = [
        item async for item in pages(session.client.images.ListAlgorithmImageVersions, request, "versions")
    ]
    head = facts(
        {
            "image": f"{names.short(image.name)} ({image.display_name})",
            "kind": enum_word(algorithm_image_pb2.ImageKind, image.kind).lower(),
            "environment": names.short(image.production_environment) if image.production_environment else "",
            "description": image.description,
        }
    )
    parts: list[RenderableType] = [head]
    for version in versions:
        parts += ["", _specification(version)]
    session.out.answer(
        {"algorithmImage": message_json(image), "versions": [message_json(version) for version in versions]},
        Group(*parts),
    )


def _specification(version: algorithm_image_pb2.AlgorithmImageVersion) -> RenderableType:
    size = version.input
    return Group(
        Text(names.short(version.name), style="bold"),
        facts(
            {
                "networks": ", ".join(version.classification_networks),
                "input": f"{size.width}×{size.height}×{size.channels}, "
                f"originals of at least {size.min_side} pixels a side",
                "model params": Text(
                    json.dumps(whole_numbers(MessageToDict(version.default_model_params)), sort_keys=True)
                ),
                "training params": Text(
                    json.dumps(whole_numbers(MessageToDict(version.default_training_params)), sort_keys=True)
                ),
                "trained on": ", ".join(names.short(path) for path in version.training_paths),
                "description": version.description,
            }
        ),
    )


def whole_numbers(value: object) -> object:
    """The same JSON with 400 instead of 400.0: a protobuf Struct knows only floats."""
    if isinstance(value, dict):
        return {key: whole_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
