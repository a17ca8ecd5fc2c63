"""Page tokens of the registry's lists."""

from services.kit.paging import row_tokens

BY_ID = row_tokens(str)
"""Of lists in the order of ids; samples by file."""
BY_PARENT_AND_ID = row_tokens(str, str)
DELETED_PATHS = row_tokens(str, str, int, int_bits=63)
BY_VERSION = row_tokens(int, int)
BANK_REVISIONS = row_tokens(int)
IMPORT_REPORTS = row_tokens(int, int_bits=63)
IMPORT_REPORT_LINES = row_tokens(int)
AUDIT_ENTRIES = row_tokens(int, int_bits=63)
