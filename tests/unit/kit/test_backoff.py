from services.kit.backoff import Backoff


def test_delays_grow_to_the_ceiling_and_stay_there() -> None:
    """However long the other side is away, the next try is never far."""
    backoff = Backoff(first_s=0.1, factor=2, ceiling_s=1.0)
    for failures, full_s in [(1, 0.1), (2, 0.2), (4, 0.8), (5, 1.0), (10_000, 1.0)]:
        assert all(full_s / 2 <= backoff.delay_s(failures) <= full_s for _ in range(50))
