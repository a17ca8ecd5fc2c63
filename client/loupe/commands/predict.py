"""`loupe predict`."""

import click
from loupe import names
from loupe.commands.session import Session, remote
from loupe.commands.train import submitted
from loupe.commands.watch import fail_unless_good, follow
from loupe.rendering import message_json
from loupe.scheduler.v1 import task_pb2


@click.command(short_help="Test a version or a training against a question bank.")
@click.argument("judged", metavar="MODEL@VERSION|TASK")
@click.option(
    "--dataset", "datasets", multiple=True, metavar="NAME", help="All data paths of a dataset. Repeatable."
)
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="[DATASET/]PATH",
    help="One data path; narrows a single --dataset. Repeatable.",
)
@click.option("--bank", default="", metavar="BANK[@REVISION]", help="A question bank in place of data.")
@click.option("--batch-size", default=0, type=click.IntRange(0, 4096), help="[default: 32]")
@click.option(
    "--confidence-threshold",
    default=0.0,
    type=click.FloatRange(0, 1, max_open=True),
    help="Below it a prediction would go to a human.",
)
@click.option("--filter-resolution", is_flag=True, help="Set aside images of a wrong resolution.")
@click.option("--classification-only", is_flag=True, help="Leave the segmentation network out: faster.")
@click.option(
    "--acknowledge-training-overlap",
    is_flag=True,
    help="Go on though the version was trained with some of the data (P7).",
)
@click.option(
    "--exclude-training-overlap",
    is_flag=True,
    help="Leave out what the version was trained with, and judge the rest (P7).",
)
@click.option("--resource", default="cpu", show_default=True, help="Compute resource.")
@click.option("--request-id", default="", help="The same id gives the same task, however often it is sent.")
@click.option("--watch", is_flag=True, help="Follow it to its end; exit code 1 if it fails.")
@remote
async def predict(  # noqa: PLR0913 -- P1's parameters
    session: Session,
    *,
    judged: str,
    datasets: tuple[str, ...],
    paths: tuple[str, ...],
    bank: str,
    batch_size: int,
    confidence_threshold: float,
    resource: str,
    request_id: str,
    filter_resolution: bool,
    classification_only: bool,
    acknowledge_training_overlap: bool,
    exclude_training_overlap: bool,
    watch: bool,
) -> None:
    """Run a version, or a completed training, over a question bank or data paths (P1, P8).

    VERSION may be an alias or `latest`; TASK is a training's, or the beginning of its id. Once the training
    is released, its reports are those of the version.

    Data that the version was trained with, by the pictures' content or by group, flatters it: it is told with
    counts. Either it is left out, and the report says how much; or, over data paths, it is acknowledged, and
    the report never becomes the version's official one (P7).

    \b
    Examples:
      loupe predict panel-adc@v3.01 --bank panels-june --watch
      loupe predict 01jx4k --bank panels-june --exclude-training-overlap
      loupe predict panel-adc@v3.01 --bank panels-june@1 --exclude-training-overlap
      loupe predict panel-adc@latest --dataset panels --path question-bank --confidence-threshold 0.8
    """
    if bool(bank) == bool(datasets or paths):
        raise click.UsageError(
            "name a question bank (--bank), or data: --dataset NAME or --path DATASET/PATH"
        )
    spec = task_pb2.PredictionSpec(
        **await session.client.judged(judged),
        data_paths=await session.client.data_paths(datasets, paths),
        question_bank=names.question_bank(bank) if bank else "",
        exclude_training_overlap=exclude_training_overlap,
        compute_resource=names.resource("computeResources", resource),
        batch_size=batch_size,
        confidence_threshold=confidence_threshold,
        filter_resolution=filter_resolution,
        classification_only=classification_only,
        acknowledge_training_overlap=acknowledge_training_overlap,
    )
    created = await submitted(session, task_pb2.Task(prediction=spec), request_id)
    if not watch:
        session.out.answer(message_json(created), f"submitted {created.name}")
        session.out.hint(f"next: loupe watch {names.short(created.name)}")
        return
    session.out.say(f"submitted {created.name}")
    ended = await follow(session, created.name)
    if session.out.as_json:
        session.out.answer(message_json(ended), "")
    fail_unless_good(ended)
    session.out.hint(f"next: loupe report {names.short(ended.name)}")
