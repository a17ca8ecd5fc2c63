"""The trainer, whose child computes in float64."""

from services.kit import lifecycle as kit
from services.trainer import __main__ as trainer

trainer.CHILD = "tests.support.float64_child"

if __name__ == "__main__":
    kit.run(trainer.main)
