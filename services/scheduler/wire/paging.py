"""Page tokens of the scheduler's lists."""

from services.kit.paging import row_tokens

TASKS = row_tokens(str)
WORKERS = row_tokens(str)
NONCONFORMING_SAMPLES = row_tokens(str, str)
