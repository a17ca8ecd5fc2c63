# ruff: noqa: N802, D102 -- RPCs are named and documented by their contract
"""`loupe.evaluator.v1.LeaderboardService`."""

from typing import Any

from loupe.evaluator.v1 import leaderboard_pb2
from loupe.evaluator.v1 import leaderboard_service_pb2 as rpc
from loupe.evaluator.v1 import leaderboard_service_pb2_grpc as rpc_grpc

from services.evaluator.application.leaderboards import Leaderboards
from services.evaluator.wire import leaderboard as wire
from services.kit.grpc_server import Service

Context = Any  # grpc.aio's context; no handler reads it


class LeaderboardServicer(rpc_grpc.LeaderboardServiceServicer):
    """Question banks as leaderboards."""

    def __init__(self, leaderboards: Leaderboards) -> None:
        self._leaderboards = leaderboards

    async def GetLeaderboard(
        self, request: rpc.GetLeaderboardRequest, _: Context
    ) -> leaderboard_pb2.Leaderboard:
        return wire.leaderboard(await self._leaderboards.get(request.question_bank, request.revision))


def service(leaderboards: Leaderboards) -> Service:
    """The service for the evaluator's server."""
    return Service(
        servicer=LeaderboardServicer(leaderboards),
        add_to_server=rpc_grpc.add_LeaderboardServiceServicer_to_server,
        descriptor=rpc.DESCRIPTOR.services_by_name["LeaderboardService"],
    )
