"""All services of the evaluator as the server takes them."""

from collections.abc import Callable

from services.evaluator.application.comparing import Comparisons
from services.evaluator.application.drilldown import DrillDown
from services.evaluator.application.exporting import ReportExports
from services.evaluator.application.leaderboards import Leaderboards
from services.evaluator.application.relabelling import RegistryPort, RelabelMarks
from services.evaluator.application.reports import Reports
from services.evaluator.server import comparison, leaderboard, relabelling, sample_results
from services.evaluator.server import reports as report_server
from services.kit.grpc_server import Service


def services(  # noqa: PLR0913 -- one a subject
    *,
    reports: Reports,
    exports: ReportExports,
    comparisons: Comparisons,
    leaderboards: Leaderboards,
    samples: DrillDown,
    marks: RelabelMarks,
    registry: Callable[[str], RegistryPort],
) -> list[Service]:
    """Servicers with their contracts. `registry` makes a client that has the rights of a token."""
    return [
        report_server.service(reports, exports),
        comparison.service(comparisons),
        leaderboard.service(leaderboards),
        sample_results.service(samples),
        relabelling.service(marks, registry),
    ]
