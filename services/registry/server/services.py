"""All services of the registry as the server takes them."""

from loupe.registry.v1 import algorithm_image_service_pb2 as images_rpc
from loupe.registry.v1 import algorithm_image_service_pb2_grpc as images_grpc
from loupe.registry.v1 import dataset_service_pb2 as datasets_rpc
from loupe.registry.v1 import dataset_service_pb2_grpc as datasets_grpc
from loupe.registry.v1 import identity_service_pb2 as identity_rpc
from loupe.registry.v1 import identity_service_pb2_grpc as identity_grpc
from loupe.registry.v1 import master_data_service_pb2 as master_data_rpc
from loupe.registry.v1 import master_data_service_pb2_grpc as master_data_grpc
from loupe.registry.v1 import model_service_pb2 as models_rpc
from loupe.registry.v1 import model_service_pb2_grpc as models_grpc
from loupe.registry.v1 import question_bank_service_pb2 as banks_rpc
from loupe.registry.v1 import question_bank_service_pb2_grpc as banks_grpc
from loupe.registry.v1 import storage_quota_service_pb2 as quotas_rpc
from loupe.registry.v1 import storage_quota_service_pb2_grpc as quotas_grpc
from loupe.signatures import PublicKeys

from services.kit.auth import TokenVerifier
from services.kit.grpc_server import Service
from services.registry.application.data_bin import DataBin
from services.registry.application.datasets import DataCatalogue
from services.registry.application.identity import Accounts
from services.registry.application.images import ImageCatalogue
from services.registry.application.import_reports import ImportReportLibrary
from services.registry.application.master_data import MasterData
from services.registry.application.models import ModelCatalogue
from services.registry.application.overlap import Overlaps
from services.registry.application.question_banks import BankCatalogue
from services.registry.application.sessions import LogIns
from services.registry.application.storage_quotas import Quotas
from services.registry.server.datasets import DatasetServicer
from services.registry.server.identity import IdentityServicer
from services.registry.server.images import AlgorithmImageServicer
from services.registry.server.master_data import MasterDataServicer
from services.registry.server.models import ModelServicer
from services.registry.server.question_banks import QuestionBankServicer
from services.registry.server.storage_quotas import StorageQuotaServicer


def services(  # noqa: PLR0913 -- one a service
    *,
    images: ImageCatalogue,
    data: DataCatalogue,
    data_bin: DataBin,
    import_reports: ImportReportLibrary,
    banks: BankCatalogue,
    master_data: MasterData,
    models: ModelCatalogue,
    overlaps: Overlaps,
    quotas: Quotas,
    signing_keys: PublicKeys,
    accounts: Accounts,
    log_ins: LogIns,
    verifier: TokenVerifier,
) -> list[Service]:
    """Servicers with their contracts."""
    return [
        Service(
            AlgorithmImageServicer(images),
            images_grpc.add_AlgorithmImageServiceServicer_to_server,
            images_rpc.DESCRIPTOR.services_by_name["AlgorithmImageService"],
        ),
        Service(
            DatasetServicer(data, data_bin, import_reports),
            datasets_grpc.add_DatasetServiceServicer_to_server,
            datasets_rpc.DESCRIPTOR.services_by_name["DatasetService"],
        ),
        Service(
            QuestionBankServicer(banks),
            banks_grpc.add_QuestionBankServiceServicer_to_server,
            banks_rpc.DESCRIPTOR.services_by_name["QuestionBankService"],
        ),
        Service(
            MasterDataServicer(master_data),
            master_data_grpc.add_MasterDataServiceServicer_to_server,
            master_data_rpc.DESCRIPTOR.services_by_name["MasterDataService"],
        ),
        Service(
            ModelServicer(models, overlaps, signing_keys),
            models_grpc.add_ModelServiceServicer_to_server,
            models_rpc.DESCRIPTOR.services_by_name["ModelService"],
        ),
        Service(
            IdentityServicer(accounts, log_ins, verifier),
            identity_grpc.add_IdentityServiceServicer_to_server,
            identity_rpc.DESCRIPTOR.services_by_name["IdentityService"],
        ),
        Service(
            StorageQuotaServicer(quotas),
            quotas_grpc.add_StorageQuotaServiceServicer_to_server,
            quotas_rpc.DESCRIPTOR.services_by_name["StorageQuotaService"],
        ),
    ]
