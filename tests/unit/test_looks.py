"""How often a training looks at the validation split (E4)."""

from hypothesis import given
from hypothesis import strategies as st

from services.looks import MOST_LOOKS, NetworkLooks, can_end_early, look_count, look_interval


def test_looks_are_affordable() -> None:
    """A large validation side must not eat the training."""
    assert look_interval(400, 32, 0) == 20
    assert look_interval(400, 32, 3000) == 625
    assert look_interval(10, 32, 16) == 3


@given(max_iter=st.integers(1, 500), batch_size=st.integers(1, 64), inputs=st.integers(0, 3000))
def test_the_count_is_that_of_the_looks_that_the_loop_takes(
    max_iter: int, batch_size: int, inputs: int
) -> None:
    """After every interval and after the last iteration; a patience is refused by this count."""
    interval = look_interval(max_iter, batch_size, inputs)
    taken = {iteration for iteration in range(1, max_iter + 1) if iteration % interval == 0} | {max_iter}
    assert look_count(max_iter, interval) == len(taken) <= MOST_LOOKS


@given(patience=st.integers(0, 6), looks=st.integers(1, 8))
def test_a_patience_can_act_where_looks_that_never_get_better_end_the_training(
    patience: int, looks: int
) -> None:
    """Before the last look, which ends it anyway."""
    seen = NetworkLooks(looks)
    acts = False
    for iteration in range(1, looks):
        seen = seen.after(iteration, 0.5)
        acts |= 0 < patience <= seen.looks_since_best
    assert can_end_early(patience, looks) is acts
