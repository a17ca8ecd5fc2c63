"""The process in which the registry decodes files of strangers: `python -m services.registry.decoder`."""

from services.registry.application.examining import examine
from services.vision.decoding import make_thumbnail, serve

if __name__ == "__main__":
    serve({"examine": examine, "thumbnail": make_thumbnail})
