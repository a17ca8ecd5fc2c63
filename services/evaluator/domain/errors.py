"""What can be wrong with a wish about reports."""

from services.kit.errors import Aborted, InvalidArgument, NotFound


class ReportNotFound(NotFound):
    """There is no such report, or it went with its task."""

    reason = "REPORT_NOT_FOUND"


class LeaseLost(Aborted):
    """A later lease of the job, or nobody, has the right to report (T6)."""

    reason = "LEASE_LOST"


class ReportInvalid(InvalidArgument):
    """A worker sent a report that contradicts itself."""

    reason = "REPORT_INVALID"


class PageTokenInvalid(InvalidArgument):
    """A page token that was not made by the same listing."""

    reason = "PAGE_TOKEN_INVALID"
