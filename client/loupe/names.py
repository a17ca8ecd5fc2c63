"""The short names that people type, and the resource names that the services know."""

import re

_VERSIONED = re.compile(r"(?P<name>[^@/\s]+)@(?P<version>[^@/\s]+)")


class BadName(ValueError):
    """The text is no name; the message shows the form of such a name."""


def resource(collection: str, name: str) -> str:
    """`datasets/panels` of `panels`; a whole resource name stays as it is."""
    return name if name.startswith(f"{collection}/") else f"{collection}/{name}"


def short(name: str) -> str:
    """What people call a resource: `panels`, `panels/line-3`, `panel-adc@v3.01`."""
    parts = name.split("/")
    if len(parts) == 4 and parts[2] == "versions":
        return f"{parts[1]}@{parts[3]}"
    return "/".join(parts[1::2]) if len(parts) % 2 == 0 else name


def model_version(text: str) -> str:
    """The resource name of `NAME@VERSION`; VERSION may be an alias or `latest`."""
    return _versioned("models", text, "panel-adc@v3.01")


def image_version(text: str) -> str:
    """The resource name of `IMAGE@VERSION`."""
    return _versioned("algorithmImages", text, "surface-classification@v3.0")


def question_bank(text: str) -> str:
    """The resource name of `BANK`, or of a revision of it, `BANK@2`."""
    if text.startswith("questionBanks/"):
        return text
    bank, at, revision = text.partition("@")
    if not bank or (at and not revision.isdecimal()):
        raise BadName(f"{text!r} names no question bank; write BANK or BANK@REVISION, as in panels-june@2")
    return f"questionBanks/{bank}" + (f"/revisions/{revision}" if at else "")


def data_path(text: str, dataset: str | None = None) -> str:
    """The resource name of `DATASET/PATH`, or of `PATH` within `dataset`."""
    if text.startswith("datasets/"):
        return text
    dataset_id, slash, path_id = text.partition("/")
    if not slash:
        if dataset is None:
            raise BadName(f"{text!r} names no dataset; write DATASET/{text}")
        dataset_id, path_id = dataset.removeprefix("datasets/"), text
    if not dataset_id or not path_id or "/" in path_id:
        raise BadName(f"{text!r} is not a data path; write DATASET/PATH")
    return f"datasets/{dataset_id}/paths/{path_id}"


def import_report(text: str) -> str:
    """The resource name of `DATASET/PATH/REPORT`."""
    if text.startswith("datasets/"):
        return text
    path, slash, report = text.rpartition("/")
    if not slash or not report:
        raise BadName(f"{text!r} is no report of an import; write DATASET/PATH/REPORT")
    return f"{data_path(path)}/importReports/{report}"


def deleted_path(text: str) -> str:
    """The resource name of `DATASET/PATH.N`, as `loupe data bin` lists it."""
    if text.startswith("datasets/"):
        return text
    dataset_id, slash, path_id = text.partition("/")
    if not slash or not dataset_id or not re.fullmatch(r"[^/\s]+\.[0-9]+", path_id):
        raise BadName(f"{text!r} is not in the bin; write DATASET/PATH.N, as `loupe data bin` lists it")
    return f"datasets/{dataset_id}/deletedPaths/{path_id}"


def _versioned(collection: str, text: str, example: str) -> str:
    if text.startswith(f"{collection}/"):
        return text
    match = _VERSIONED.fullmatch(text)
    if match is None:
        raise BadName(f"{text!r} names no version; write NAME@VERSION, as in {example}")
    return f"{collection}/{match['name']}/versions/{match['version']}"
