"""Why a request about reports is refused."""

from loupe.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound


class ReportNotFound(NotFound):
    """There is no such report, or it was deleted with its task."""

    reason = "REPORT_NOT_FOUND"


class SampleResultNotFound(NotFound):
    """There is no such sample in the report."""

    reason = "SAMPLE_RESULT_NOT_FOUND"


class PictureUnreadable(FailedPrecondition):
    """A sample or its mask cannot be decoded."""

    reason = "PICTURE_UNREADABLE"


class NoMask(FailedPrecondition):
    """The sample has neither a true nor a predicted mask."""

    reason = "NO_MASK"


class LeaseLost(Aborted):
    """The job was leased again, or its task was deleted: this report is not accepted (T6)."""

    reason = "LEASE_LOST"


class ReportInvalid(InvalidArgument):
    """The report that a worker sent contradicts itself."""

    reason = "REPORT_INVALID"


class FilterInvalid(InvalidArgument):
    """A filter, an order or an option has a value that does not exist."""

    reason = "FILTER_INVALID"


class NotComparable(FailedPrecondition):
    """Two reports have no code or no sample in common."""

    reason = "NOT_COMPARABLE"
