"""In words: of which look at the validation split the weights of a training are (E4)."""

from loupe.registry.v1 import model_pb2
from loupe.translation import Sentence, sentence


def described(value: model_pb2.TrainingLooks) -> list[Sentence]:
    """A sentence for each network that was trained."""
    networks = (
        (
            sentence("classifier"),
            sentence("validation accuracy"),
            value.classification if value.HasField("classification") else None,
        ),
        (
            sentence("segmentation network"),
            sentence("validation IoU"),
            value.segmentation if value.HasField("segmentation") else None,
        ),
    )
    return [
        sentence(
            "{network}: {weights}{end}", network=network, weights=_weights(looks, metric), end=_end(looks)
        )
        for network, metric, looks in networks
        if looks is not None
    ]


def _weights(looks: model_pb2.NetworkLooks, metric: Sentence) -> Sentence:
    if not looks.HasField("best_score"):
        return sentence(
            "weights of the last iteration, {iteration} of {most}: "
            "nothing in the validation split to judge on",
            iteration=looks.last_iteration,
            most=looks.max_iteration,
        )
    best = sentence(
        "weights of iteration {iteration} of {most}: {metric} {score}",
        iteration=looks.best_iteration,
        most=looks.max_iteration,
        metric=metric,
        score=_percent(looks.best_score),
    )
    if looks.best_iteration == looks.last_iteration:
        return sentence("{best}, the last and best of {count} looks", best=best, count=looks.look_count)
    if looks.last_score == looks.best_score:
        return sentence(
            "{best}, the first of the best of {count} looks; the last is as good",
            best=best,
            count=looks.look_count,
        )
    return sentence(
        "{best}, the best of {count} looks; last {score}",
        best=best,
        count=looks.look_count,
        score=_percent(looks.last_score),
    )


def _end(looks: model_pb2.NetworkLooks) -> Sentence:
    if looks.last_iteration >= looks.max_iteration:
        return Sentence("", "")
    return sentence(
        "; ended early after iteration {iteration}: no better look among the last {count} (patience)",
        iteration=looks.last_iteration,
        count=looks.looks_since_best,
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
