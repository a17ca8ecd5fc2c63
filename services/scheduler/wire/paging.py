"""Page tokens of the scheduler's lists."""

from services.kit.paging import row_tokens

TASKS = row_tokens(str)
WORKERS = row_tokens(str)
NONCONFORMING_SAMPLES = row_tokens(str, str)
BANK_RUNS = row_tokens(int, int_bits=63)
