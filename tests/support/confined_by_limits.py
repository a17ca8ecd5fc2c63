"""The same program where work needs a system call that the filter does not know."""

import os

from services.kit.confined_child import serve
from tests.support.confined import HANDLERS

if __name__ == "__main__":
    serve(HANDLERS, rehearse=lambda: os.uname() and None)
