# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""DatasetService."""

from typing import Any

from google.protobuf.empty_pb2 import Empty
from loupe.registry.v1 import dataset_pb2 as pb
from loupe.registry.v1 import dataset_service_pb2 as rpc
from loupe.registry.v1 import dataset_service_pb2_grpc as rpc_grpc
from loupe.registry.v1 import import_report_pb2 as report_pb

from services.audit import current_caller
from services.registry.application.data_bin import DataBin
from services.registry.application.datasets import DataCatalogue
from services.registry.application.import_reports import ImportReportLibrary
from services.registry.wire import datasets as wire
from services.registry.wire import import_reports as report_wire
from services.registry.wire import names, paging
from services.registry.wire.values import timestamp

Context = Any  # grpc.aio's context; no handler touches it


class DatasetServicer(rpc_grpc.DatasetServiceServicer):
    """Datasets, data paths, import and snapshots."""

    def __init__(self, data: DataCatalogue, data_bin: DataBin, reports: ImportReportLibrary) -> None:
        self._data = data
        self._bin = data_bin
        self._reports = reports

    async def CreateDataset(self, request: rpc.CreateDatasetRequest, _: Context) -> pb.Dataset:
        dataset = await self._data.create_dataset(
            request.dataset_id,
            request.dataset.description,
            current_caller().name,
            allow_existing=request.allow_existing,
        )
        return wire.dataset_out(dataset)

    async def GetDataset(self, request: rpc.GetDatasetRequest, _: Context) -> pb.Dataset:
        return wire.dataset_out(await self._data.dataset(names.parse_one(names.DATASET, request.name)))

    async def ListDatasets(self, request: rpc.ListDatasetsRequest, _: Context) -> rpc.ListDatasetsResponse:
        page = await self._data.datasets(paging.BY_ID.page(request))
        return rpc.ListDatasetsResponse(
            datasets=[wire.dataset_out(dataset) for dataset in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def CreateDataPath(self, request: rpc.CreateDataPathRequest, _: Context) -> pb.DataPath:
        path = await self._data.create_path(
            names.parse_one(names.DATASET, request.parent, "parent"),
            request.data_path_id,
            request.data_path.description,
            list(request.data_path.mask_codes),
            request.data_path.bits,
            caller=current_caller(),
            allow_existing=request.allow_existing,
        )
        return wire.path_out(path)

    async def GetDataPath(self, request: rpc.GetDataPathRequest, _: Context) -> pb.DataPath:
        return wire.path_out(await self._data.path(*names.parse_data_path(request.name)))

    async def ListDataPaths(self, request: rpc.ListDataPathsRequest, _: Context) -> rpc.ListDataPathsResponse:
        page = await self._data.paths(
            names.parse_parent_dataset(request.parent),
            paging.BY_PARENT_AND_ID.page(request),
            trainable=request.trainable,
        )
        return rpc.ListDataPathsResponse(
            data_paths=[wire.path_out(path) for path in page.items],
            next_page_token=paging.BY_PARENT_AND_ID.token(request, page.last_key),
        )

    async def SetDataPathOwner(self, request: rpc.SetDataPathOwnerRequest, _: Context) -> pb.DataPath:
        path = await self._data.set_owner(
            *names.parse_data_path(request.name),
            names.parse_optional(names.USER, request.owner, "owner"),
            current_caller(),
        )
        return wire.path_out(path)

    async def PlanSampleUploads(
        self, request: rpc.PlanSampleUploadsRequest, _: Context
    ) -> rpc.PlanSampleUploadsResponse:
        uploads = await self._data.plan_uploads(
            *names.parse_data_path(request.parent, "parent"),
            request.sha256s,
            request.size_bytes,
            current_caller(),
            joined=request.joined,
        )
        return rpc.PlanSampleUploadsResponse(
            uploads=[rpc.PlanSampleUploadsResponse.Upload(sha256=sha256, url=url) for sha256, url in uploads]
        )

    async def AddSamples(self, request: rpc.AddSamplesRequest, _: Context) -> rpc.AddSamplesResponse:
        outcomes, path = await self._data.add_samples(
            *names.parse_data_path(request.parent, "parent"),
            [wire.candidate_in(candidate) for candidate in request.candidates],
            current_caller(),
            bits=request.bits,
        )
        return rpc.AddSamplesResponse(
            outcomes=[wire.outcome_out(outcome) for outcome in outcomes], data_path=wire.path_out(path)
        )

    async def SaveImportReport(
        self, request: rpc.SaveImportReportRequest, _: Context
    ) -> report_pb.ImportReport:
        report = await self._reports.save(
            *names.parse_data_path(request.parent, "parent"),
            request.import_report_id,
            report_wire.facts_in(request.import_report),
            request.first_line,
            [report_wire.line_in(line) for line in request.lines],
            current_caller(),
        )
        return report_wire.report_out(report)

    async def GetImportReport(
        self, request: rpc.GetImportReportRequest, _: Context
    ) -> report_pb.ImportReport:
        return report_wire.report_out(await self._reports.get(*names.parse_import_report(request.name)))

    async def ListImportReports(
        self, request: rpc.ListImportReportsRequest, _: Context
    ) -> rpc.ListImportReportsResponse:
        page = await self._reports.listing(
            *names.parse_data_path(request.parent, "parent"), paging.IMPORT_REPORTS.page(request)
        )
        return rpc.ListImportReportsResponse(
            import_reports=[report_wire.report_out(report) for report in page.items],
            next_page_token=paging.IMPORT_REPORTS.token(request, page.last_key),
        )

    async def ListImportReportLines(
        self, request: rpc.ListImportReportLinesRequest, _: Context
    ) -> rpc.ListImportReportLinesResponse:
        page = await self._reports.lines(
            *names.parse_import_report(request.parent, "parent"),
            paging.IMPORT_REPORT_LINES.page(request),
            kind=report_wire.kind_in(request.kind),
            reason=request.reason,
            file=request.file,
        )
        return rpc.ListImportReportLinesResponse(
            lines=[report_wire.line_out(line) for line in page.items],
            next_page_token=paging.IMPORT_REPORT_LINES.token(request, page.last_key),
        )

    async def RelabelSamples(
        self, request: rpc.RelabelSamplesRequest, _: Context
    ) -> rpc.RelabelSamplesResponse:
        outcomes, path = await self._data.relabel_samples(
            *names.parse_data_path(request.parent, "parent"),
            [wire.relabel_in(relabel) for relabel in request.relabels],
            current_caller(),
            revision=request.revision or None,
        )
        return rpc.RelabelSamplesResponse(
            outcomes=[wire.relabel_outcome_out(outcome) for outcome in outcomes],
            data_path=wire.path_out(path),
        )

    async def ListSamples(self, request: rpc.ListSamplesRequest, _: Context) -> rpc.ListSamplesResponse:
        page = await self._data.samples(
            *names.parse_data_path(request.parent, "parent"),
            paging.BY_ID.page(request),
            code=request.code or None,
        )
        return rpc.ListSamplesResponse(
            samples=[wire.sample_out(sample) for sample in page.items],
            next_page_token=paging.BY_ID.token(request, page.last_key),
        )

    async def CountParts(self, request: rpc.CountPartsRequest, _: Context) -> rpc.CountPartsResponse:
        paths = [
            names.parse_data_path(name, f"data_paths[{index}]")
            for index, name in enumerate(request.data_paths)
        ]
        counted = await self._data.count_parts(paths, request.codes)
        return rpc.CountPartsResponse(codes=[wire.code_parts_out(one) for one in counted])

    async def LinkSample(self, request: rpc.LinkSampleRequest, _: Context) -> rpc.LinkSampleResponse:
        url, expire_time = await self._data.link_sample(
            *names.parse_data_path(request.parent, "parent"),
            request.file,
            mask=request.mask,
            thumbnail=request.thumbnail,
        )
        return rpc.LinkSampleResponse(url=url, expire_time=timestamp(expire_time))

    async def SnapshotDataPath(self, request: rpc.SnapshotDataPathRequest, _: Context) -> pb.Snapshot:
        return wire.snapshot_out(await self._data.snapshot(*names.parse_data_path(request.name)))

    async def DeleteDataPath(self, request: rpc.DeleteDataPathRequest, _: Context) -> pb.DeletedDataPath:
        deleted = await self._bin.delete(*names.parse_data_path(request.name), current_caller())
        return wire.deleted_path_out(deleted)

    async def ListDeletedDataPaths(
        self, request: rpc.ListDeletedDataPathsRequest, _: Context
    ) -> rpc.ListDeletedDataPathsResponse:
        page = await self._bin.listing(
            names.parse_parent_dataset(request.parent), paging.DELETED_PATHS.page(request)
        )
        return rpc.ListDeletedDataPathsResponse(
            data_paths=[wire.deleted_path_out(path) for path in page.items],
            next_page_token=paging.DELETED_PATHS.token(request, page.last_key),
        )

    async def RestoreDataPath(self, request: rpc.RestoreDataPathRequest, _: Context) -> pb.DataPath:
        path = await self._bin.restore(
            *names.parse_deleted_path(request.name), request.data_path_id or None, current_caller()
        )
        return wire.path_out(path)

    async def PurgeDataPath(self, request: rpc.PurgeDataPathRequest, _: Context) -> Empty:
        await self._bin.purge(*names.parse_deleted_path(request.name))
        return Empty()
