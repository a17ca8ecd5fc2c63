"""Export tasks: one for each version and format, leased and fenced like other tasks (X, R4, T)."""

import asyncio
from typing import Any

import httpx
import pytest
from loupe.access.v1 import access_pb2
from loupe.registry.v1 import identity_service_pb2, model_pb2, model_service_pb2
from loupe.scheduler.v1 import job_pb2, job_service_pb2, task_pb2, task_service_pb2

from services.kit.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound, PermissionDenied

CSOT, ONNX = model_pb2.PACKAGE_FORMAT_CSOT_ARTIFACT, model_pb2.PACKAGE_FORMAT_ONNX
PACKAGE = model_pb2.Package(sha256="ab" * 32, size_bytes=123, abi_version=1, format_version=1)


async def ask(caller: Any, version: str, wanted: int = 0, **fields: Any) -> task_pb2.Task:
    request = task_service_pb2.ExportModelVersionRequest(model_version=version, format=wanted, **fields)
    task: task_pb2.Task = await caller.tasks.ExportModelVersion(request)
    return task


async def packaged(held: Any, package: model_pb2.Package = PACKAGE) -> None:
    """The worker reports that the package is stored."""
    await held._finish(packaged=job_service_pb2.FinishJobRequest.Packaged(package=package))


async def version_of(bench: Any, name: str) -> model_pb2.ModelVersion:
    version: model_pb2.ModelVersion = await bench.engineer.models.GetModelVersion(
        model_service_pb2.GetModelVersionRequest(name=name)
    )
    return version


async def link(caller: Any, version: str, wanted: int = 0) -> model_service_pb2.LinkPackageResponse:
    request = model_service_pb2.LinkPackageRequest(name=version, format=wanted)
    answer: model_service_pb2.LinkPackageResponse = await caller.models.LinkPackage(request)
    return answer


async def test_r4_x_a_version_is_exported_once_and_shows_its_package(bench: Any) -> None:
    """One task, one job and one package for all callers, also by an alias or `latest`."""
    released = await bench.released()
    version = released.model_version
    model = f"models/{released.training.model_name}"
    with pytest.raises(NotFound) as none_yet:
        await link(bench.releaser, version)
    assert none_yet.value.reason == "NOT_EXPORTED"
    other = await bench.stack.with_role(access_pb2.ROLE_RELEASER)
    asked = await asyncio.gather(
        *(
            ask(caller, name)
            for caller in (bench.releaser, other)
            for name in (version, f"{model}/versions/latest")
        )
    )
    assert len({task.name for task in asked}) == 1
    task = asked[0]
    assert (task.state, task.export.model_version, task.export.format) == (
        task_pb2.TASK_STATE_WAITING,
        version,
        CSOT,
    )
    assert task.export.compute_resource == bench.resource, "that of the training"
    held = await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE)
    assert held.lease.package == job_pb2.PackageWork(
        weights_sha256=released.weights_sha256, model_version=version, format=CSOT
    )
    running = await bench.get(task)
    assert (running.state, running.phase) == (task_pb2.TASK_STATE_PACKAGING, task_pb2.PHASE_PACKAGING)
    assert (await ask(bench.releaser, version)).name == task.name
    await packaged(held)
    await packaged(held)  # its answer was lost
    done = await bench.get(task)
    assert (done.state, done.progress.overall_fraction) == (task_pb2.TASK_STATE_COMPLETED, 1.0)
    assert (await ask(other, version)).name == task.name
    assert await bench.worker.ask(job_pb2.JOB_KIND_PACKAGE) is None
    (shown,) = (await version_of(bench, version)).packages
    assert (shown.format, shown.sha256, shown.size_bytes) == (CSOT, PACKAGE.sha256, PACKAGE.size_bytes)
    assert (shown.abi_version, shown.format_version) == (1, 1)
    assert shown.create_time.seconds
    linked = await link(bench.releaser, version)
    assert linked.package == shown
    assert linked.file_name == f"{released.training.model_name}-v3.01.zip"
    assert f"packages/{shown.sha256}.zip?" in linked.url
    assert linked.file_name in linked.url
    listed = await bench.engineer.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(kind=task_service_pb2.TASK_KIND_EXPORT, model_version=version)
    )
    assert [(one.name, one.export) for one in listed.tasks] == [(task.name, done.export)]
    everything = await bench.engineer.tasks.ListTasks(
        task_service_pb2.ListTasksRequest(kind=task_service_pb2.TASK_KIND_EXPORT, page_size=500)
    )
    assert task.name in {one.name for one in everything.tasks}


async def test_x_onnx_is_exported_beside_it(bench: Any) -> None:
    """Each format has its own task, package and file name."""
    released = await bench.released()
    version = released.model_version
    first, second = await ask(bench.releaser, version), await ask(bench.releaser, version, ONNX)
    assert first.name != second.name
    for package in (PACKAGE, model_pb2.Package(sha256="cd" * 32, size_bytes=5)):
        await packaged(await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE), package)
    assert [one.format for one in (await version_of(bench, version)).packages] == [CSOT, ONNX]
    linked = await link(bench.releaser, version, ONNX)
    assert linked.package.sha256 == "cd" * 32
    assert linked.file_name.endswith("-v3.01-onnx.zip")


async def test_x_a_failed_or_terminated_export_is_started_again_by_asking_again(bench: Any) -> None:
    """The same task in a new attempt, also for another user than the first."""
    version = (await bench.released()).model_version
    task = await ask(bench.releaser, version)
    await (await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE)).failed("CANNOT_BUILD")
    failed = await bench.get(task)
    assert (failed.state, failed.failure.code) == (task_pb2.TASK_STATE_FAILED, "CANNOT_BUILD")
    other = await bench.stack.with_role(access_pb2.ROLE_RELEASER)
    again = await ask(other, version)
    assert (again.name, again.attempt, again.state) == (task.name, 2, task_pb2.TASK_STATE_WAITING)
    held = await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE)
    await bench.releaser.tasks.TerminateTask(task_service_pb2.TerminateTaskRequest(name=task.name))
    await held.terminated()
    assert (await bench.get(task)).state == task_pb2.TASK_STATE_TERMINATED
    third = await ask(bench.releaser, version)
    assert (third.name, third.attempt) == (task.name, 3)
    await packaged(await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE))
    assert (await bench.get(task)).state == task_pb2.TASK_STATE_COMPLETED
    with pytest.raises(FailedPrecondition):
        await bench.releaser.tasks.ReleaseTask(task_service_pb2.ReleaseTaskRequest(name=task.name))


async def test_t5_t6_a_lost_export_is_taken_over_and_its_first_worker_names_nothing(bench: Any) -> None:
    """T6: the package of a worker that lost its lease is not recorded."""
    version = (await bench.released()).model_version
    task = await ask(bench.releaser, version)
    lost = await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE)
    await bench.worker.lose_lease(lost)
    with pytest.raises(Aborted) as refused:
        await packaged(lost, model_pb2.Package(sha256="00" * 32, size_bytes=1))
    assert refused.value.reason == "LEASE_LOST"
    assert not (await version_of(bench, version)).packages
    await packaged(await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE))
    done = await bench.get(task)
    assert (done.state, done.recoveries, done.attempt) == (task_pb2.TASK_STATE_COMPLETED, 1, 1)
    assert [one.sha256 for one in (await version_of(bench, version)).packages] == [PACKAGE.sha256]


async def test_x_a_package_once_recorded_stays(bench: Any) -> None:
    """The export task may be deleted; a package that is built again does not replace the recorded one."""
    version = (await bench.released()).model_version
    task = await ask(bench.releaser, version)
    await packaged(await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE))
    await bench.releaser.tasks.DeleteTask(task_service_pb2.DeleteTaskRequest(name=task.name))
    archived = await bench.releaser.models.ArchiveModelVersion(
        model_service_pb2.ArchiveModelVersionRequest(name=version)
    )
    assert archived.packages
    assert (await link(bench.releaser, version)).package.sha256 == PACKAGE.sha256
    again = await ask(bench.releaser, version)
    assert again.name != task.name
    await packaged(
        await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE),
        model_pb2.Package(sha256="ef" * 32, size_bytes=9),
    )
    assert (await bench.get(again)).state == task_pb2.TASK_STATE_COMPLETED
    assert [one.sha256 for one in (await version_of(bench, version)).packages] == [PACKAGE.sha256]


async def test_x_what_cannot_be_exported_is_refused_and_says_why(bench: Any, viewer: Any) -> None:
    """A2: releasers export; R4: only versions are exported."""
    released = await bench.released()
    version = released.model_version
    for caller in (viewer, bench.engineer):
        for call in (ask(caller, version), link(caller, version)):
            with pytest.raises(PermissionDenied) as refused:
                await call
            assert "RELEASER" in refused.value.message
    for unknown in ("models/nobody/versions/v3.01", f"{version}9", "tasks/1", ""):
        with pytest.raises(NotFound, match="no model version"):
            await ask(bench.releaser, unknown)
    with pytest.raises(InvalidArgument) as resource:
        await ask(bench.releaser, version, compute_resource="computeResources/nowhere")
    assert resource.value.violations[0].field == "compute_resource"
    with pytest.raises(InvalidArgument, match="format"):
        await ask(bench.releaser, version, 99)
    with pytest.raises(InvalidArgument, match="ExportModelVersion"):
        await bench.releaser.tasks.CreateTask(
            task_service_pb2.CreateTaskRequest(
                task=task_pb2.Task(export=task_pb2.ExportSpec(model_version=version))
            )
        )
    await ask(bench.releaser, version)
    held = await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE)
    for wrong in (model_pb2.Package(sha256="ab" * 32), model_pb2.Package(sha256="x", size_bytes=1)):
        with pytest.raises(InvalidArgument):
            await packaged(held, wrong)
    with pytest.raises(InvalidArgument) as not_so:
        await held.reported()
    assert not_so.value.reason == "OUTCOME_DOES_NOT_FIT"


async def test_x_the_link_to_weights_reads_them(bench: Any) -> None:
    """To compare a package with its version, a user needs the version's weights."""
    released = await bench.released()
    answer = await bench.releaser.models.LinkWeights(
        model_service_pb2.LinkWeightsRequest(name=released.model_version)
    )
    assert answer.sha256 == released.weights_sha256
    async with httpx.AsyncClient() as http:
        # Nobody stored any here: the link is sound, and leads to nothing.
        assert (await http.get(answer.url)).status_code == 404


async def test_a3_who_takes_a_model_along_is_in_the_audit_log(bench: Any) -> None:
    """Only the audit log says who downloaded a package or weights."""
    released = await bench.released()
    version = released.model_version
    await ask(bench.releaser, version)
    await packaged(await bench.worker.acquire(job_pb2.JOB_KIND_PACKAGE), PACKAGE)
    told = await link(bench.releaser, version)
    await bench.releaser.models.LinkWeights(model_service_pb2.LinkWeightsRequest(name=version))
    entries = (
        await bench.stack.admin.identity.ListAuditEntries(
            identity_service_pb2.ListAuditEntriesRequest(page_size=1000)
        )
    ).entries
    taken = [
        (entry.action.rpartition("/")[2], entry.resource, entry.result)
        for entry in reversed(entries)
        if entry.resource.startswith(version) and "/Link" in entry.action
    ]
    assert taken == [
        ("LinkPackage", f"{version} file_name={told.file_name}", "OK"),
        ("LinkWeights", f"{version} sha256={released.weights_sha256}", "OK"),
    ]
