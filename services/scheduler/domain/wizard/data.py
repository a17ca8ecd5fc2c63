"""Step 2: data paths and their codes (rules W4, W5, W6, D9)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from loupe.errors import Violation
from loupe.translation import joined, sentence

from services.scheduler.domain.spec import TrainingRequest
from services.scheduler.domain.wizard.findings import not_found
from services.scheduler.domain.wizard.registry_data import (
    CodeCount,
    CodeParts,
    ModelVersionFacts,
    RegistryData,
)

MAX_DATA_PATHS = 500


def check_paths(paths: Sequence[str], facts: RegistryData) -> list[Violation]:
    """W4, W5: every path exists once and is valid."""
    if not paths:
        return [Violation("data_paths", "NO_DATA_PATHS", sentence("at least one data path is needed"))]
    if len(paths) > MAX_DATA_PATHS:
        return [
            Violation(
                "data_paths",
                "TOO_MANY_DATA_PATHS",
                sentence(
                    "{count} data paths; at most {limit} are accepted",
                    count=len(paths),
                    limit=MAX_DATA_PATHS,
                ),
            )
        ]
    found = []
    first_seen: dict[str, int] = {}
    for index, path in enumerate(paths):
        at = f"data_paths[{index}]"
        known = facts.paths.get(path)
        if path in first_seen:
            found.append(
                Violation(
                    at,
                    "DUPLICATE_DATA_PATH",
                    sentence("{path} is listed already, at [{index}]", path=path, index=first_seen[path]),
                )
            )
        elif path in facts.deleted_paths:
            found.append(
                Violation(
                    at,
                    "DELETED_DATA_PATH",
                    sentence("{path} was deleted; restore it from the bin, or remove it here", path=path),
                )
            )
        elif known is None:
            found.append(not_found(at, path, sentence("data path")))
        elif not known.valid:
            found.append(
                Violation(
                    at,
                    "INVALID_DATA_PATH",
                    sentence("{path} has no image; import some or remove the path", path=path),
                )
            )
        first_seen.setdefault(path, index)
    return found


def check_banks(request: TrainingRequest, facts: RegistryData) -> list[Violation]:
    """P7: data that versions are tested with is never trained on."""
    return [
        Violation(
            f"data_paths[{index}]",
            "BANK_IN_TRAINING",
            sentence(
                "{path} belongs to {banks}, which versions are tested with; remove the path here, or take it "
                "out of the question bank",
                path=path,
                banks=joined(facts.banks_of(path)),
            ),
        )
        for index, path in enumerate(request.data_paths)
        if facts.banks_of(path)
    ]


def check_codes(
    request: TrainingRequest, facts: RegistryData, codes: Sequence[str], num_of_classes: int
) -> list[Violation]:
    """W5, D9: every code of the list has samples, and enough of them to be divided by the split."""
    if not any(facts.paths.get(path) for path in request.data_paths):
        return []
    counts = facts.code_counts(request.data_paths)
    found = []
    for index, code in enumerate(codes):
        samples = counts[code].samples if code in counts else 0
        at = f"model_params.code_list[{index}]"
        if samples == 0:
            found.append(
                Violation(
                    at,
                    "CODE_WITHOUT_SAMPLES",
                    sentence(
                        "no sample has the code {code}; add a path that has, or take the code out", code=code
                    ),
                )
            )
        elif index < num_of_classes and samples < 2:
            found.append(
                Violation(
                    at,
                    "CLASS_TOO_SMALL",
                    sentence(
                        "the class {code} has 1 sample; training and validation need one each", code=code
                    ),
                )
            )
        else:
            found += _check_parts(at, code, samples, facts.parts.get(code, CodeParts(samples)))
    return [*found, *_check_unlisted_codes(counts, codes)]


def _check_parts(at: str, code: str, samples: int, parts: CodeParts) -> list[Violation]:
    """D9: a split can give the code a sample on each side."""
    if parts.count < 2:
        return [
            Violation(
                at,
                "CODE_IN_ONE_GROUP",
                sentence(
                    "the samples of {code} ({sample_count}) are 1 group (the same group key or "
                    "content), which cannot be divided: training and validation need one each; "
                    "bring pictures of another group, or leave the code out",
                    code=code,
                    sample_count=samples,
                ),
            )
        ]
    if parts.tied:
        return [
            Violation(
                at,
                "CODES_TIED_BY_GROUPS",
                sentence(
                    "{codes} share their groups in such a way that, however these are divided, one of the "
                    "codes has none to train or none to validate with; bring pictures of {code} in another "
                    "group, or leave one of the codes out",
                    codes=joined(parts.tied),
                    code=code,
                ),
            )
        ]
    return []


@dataclass(frozen=True)
class UnlistedCodes:
    """The samples whose codes are not in a list."""

    samples: int
    named: str
    """At most ten of the codes, each with its number of samples."""

    @classmethod
    def of(cls, counts: Mapping[str, CodeCount], code_list: Iterable[str]) -> "UnlistedCodes":
        """Those of the data."""
        listed = set(code_list)
        unlisted = {code: count.samples for code, count in counts.items() if code not in listed}
        names = ", ".join(f"{code} ({samples})" for code, samples in sorted(unlisted.items())[:10])
        more = f", … ({len(unlisted)} codes)" if len(unlisted) > 10 else ""
        return cls(sum(unlisted.values()), names + more)


def _check_unlisted_codes(counts: Mapping[str, CodeCount], code_list: Iterable[str]) -> list[Violation]:
    """W5: samples whose code is not in the list are left out; a warning gives their number."""
    unlisted = UnlistedCodes.of(counts, code_list)
    if not unlisted.samples:
        return []
    told = sentence(
        "samples with codes that are not in code_list are left out, {count} in all: {codes}",
        count=unlisted.samples,
        codes=unlisted.named,
    )
    return [Violation("data_paths", "SAMPLES_OF_UNLISTED_CODES", told, "warning")]


def check_case_of_data(paths: Sequence[str], facts: RegistryData, codes: Sequence[str]) -> list[Violation]:
    """W15: an unlisted code of the data that differs from a listed one by case only is probably that code."""
    by_lower = {code.lower(): code for code in codes}
    found = []
    for code, count in sorted(facts.code_counts(paths).items()):
        listed = by_lower.get(code.lower())
        if code in codes or listed is None:
            continue
        told = sentence(
            "{count} samples have the code {code}, which differs from {listed} of code_list by case only; "
            "if they are one code, give the samples that code",
            count=count.samples,
            code=code,
            listed=listed,
        )
        found.append(Violation("data_paths", "CODES_DIFFER_BY_CASE", told, "warning"))
    return found


def check_training_paths(request: TrainingRequest, facts: RegistryData) -> list[Violation]:
    """W4: the image's own training paths may be left out if the user acknowledges it."""
    if facts.image is None:
        return []
    missing = [path for path in facts.image.training_paths if path not in request.data_paths]
    if not missing:
        return []
    names = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    if request.acknowledge_missing_training_paths:
        return [
            Violation(
                "data_paths",
                "MISSING_TRAINING_PATHS",
                sentence(
                    "{count} training paths of the image are left out: {paths}",
                    count=len(missing),
                    paths=names,
                ),
                "warning",
            )
        ]
    return [
        Violation(
            "acknowledge_missing_training_paths",
            "UNACKNOWLEDGED_MISSING_TRAINING_PATHS",
            sentence(
                "{count} training paths of the image are left out: {paths}; add them, or acknowledge it",
                count=len(missing),
                paths=names,
            ),
        )
    ]


def check_bound_paths(
    request: TrainingRequest, facts: RegistryData, parent: ModelVersionFacts | None
) -> list[Violation]:
    """W6: data paths that versions of the model are bound to stay, unless they belong to a bank now (P7)."""
    if parent is None:
        return []
    return [
        _check_bound_path(path, parent, facts.banks_of(path))
        for path in parent.data_paths
        if path not in request.data_paths
    ]


def _check_bound_path(path: str, parent: ModelVersionFacts, banks: Sequence[str]) -> Violation:
    if banks:
        return Violation(
            "data_paths",
            "PARENT_PATH_IN_BANK",
            sentence(
                "{path} is bound by a version of {model_name} and belongs to {banks} now; it is left out",
                path=path,
                model_name=parent.model_name,
                banks=joined(banks),
            ),
            "warning",
        )
    return Violation(
        "data_paths",
        "PARENT_PATH_REMOVED",
        sentence(
            "{path} is bound by a version of {model_name} and cannot be left out of a retraining",
            path=path,
            model_name=parent.model_name,
        ),
    )
