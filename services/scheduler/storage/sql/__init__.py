"""SQL statements of more than a screen, one a file.

The header of a file says which question the statement answers, which indexes it needs, which locks it takes,
and gives an example.
"""

import importlib.resources
import re
import string

_COMMENT_LINES = re.compile(r"^ *--.*\n", re.MULTILINE)


def load(name: str, **fragments: object) -> str:
    """The statement of `name`.sql without its comments, each `$fragment` replaced."""
    text = importlib.resources.files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return string.Template(_COMMENT_LINES.sub("", text)).substitute(fragments)
