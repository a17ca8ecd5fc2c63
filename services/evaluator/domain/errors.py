"""What can be wrong with a wish about reports."""

from loupe.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound


class ReportNotFound(NotFound):
    """There is no such report, or it went with its task."""

    reason = "REPORT_NOT_FOUND"


class SampleResultNotFound(NotFound):
    """There is no such sample in the report."""

    reason = "SAMPLE_RESULT_NOT_FOUND"


class PictureUnreadable(FailedPrecondition):
    """The bytes of a sample or of its mask are no image that can be drawn."""

    reason = "PICTURE_UNREADABLE"


class NoMask(FailedPrecondition):
    """There is nothing to draw over the sample."""

    reason = "NO_MASK"


class LeaseLost(Aborted):
    """A later lease of the job, or nobody, has the right to report (T6)."""

    reason = "LEASE_LOST"


class ReportInvalid(InvalidArgument):
    """A worker sent a report that contradicts itself."""

    reason = "REPORT_INVALID"


class FilterInvalid(InvalidArgument):
    """A listing was asked for something that there is not."""

    reason = "FILTER_INVALID"


class NotComparable(FailedPrecondition):
    """Two reports that have nothing in common to compare."""

    reason = "NOT_COMPARABLE"
