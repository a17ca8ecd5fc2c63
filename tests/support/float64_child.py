"""The trainer's child in float64, in which a curve of many processes shows more than rounding."""

import sys

from services.trainer.child import main
from tests.support.training import in_float64

if __name__ == "__main__":
    with in_float64():
        sys.exit(main(sys.argv[1:]))
