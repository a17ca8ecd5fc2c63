"""Training and evaluation refuse codes that only one side of the split has (D9)."""

from collections import Counter
from collections.abc import Sequence

from loupe.translation import joined, sentence

from services.failure_codes import FailureCode
from services.vision.faults import UserFault
from services.vision.parts import parts
from services.vision.samples import Sample

_MAX_CODES_LISTED = 10
_LACKING = {"train": sentence("none to train with"), "validate": sentence("none to validate with")}


def refuse_one_sided(codes: Sequence[str], training: Sequence[Sample], validation: Sequence[Sample]) -> None:
    """Raises UserFault where a code, special or not, has no sample to train or none to validate with (D9)."""
    sides = {"train": training, "validate": validation}
    counts = {purpose: Counter(sample.code for sample in side) for purpose, side in sides.items()}
    lacking = {
        code: [purpose for purpose in sides if not counts[purpose][code]]
        for code in codes
        if not all(count[code] for count in counts.values())
    }
    if not lacking:
        return
    members = parts([sample.keys for sample in (*training, *validation)])
    samples = [*training, *validation]
    groups = Counter(
        code for indices in members.values() for code in {samples[index].code for index in indices}
    )
    listed = []
    for code in list(lacking)[:_MAX_CODES_LISTED]:
        total = sum(count[code] for count in counts.values())
        if not total:
            listed.append(sentence("{code} (no usable sample)", code=code))
            continue
        (purpose,) = lacking[code]
        listed.append(
            sentence(
                "{code} ({count} usable samples in {group_count} group(s), {lacking})",
                code=code,
                count=total,
                group_count=groups[code],
                lacking=_LACKING[purpose],
            )
        )
    more = ", …" if len(lacking) > len(listed) else ""
    raise UserFault(
        FailureCode.CODE_ON_ONE_SIDE,
        *sentence(
            "training and validation need a sample of every code each, and groups are not "
            "divided: {listed}{more}",
            listed=joined(listed),
            more=more,
        ),
    )
