"""The process in which the evaluator decodes files of strangers: `python -m services.evaluator.decoder`."""

from services.evaluator.application.drawing import draw_overlay
from services.vision.decoding import make_thumbnail, serve

if __name__ == "__main__":
    serve({"overlay": draw_overlay, "thumbnail": make_thumbnail})
