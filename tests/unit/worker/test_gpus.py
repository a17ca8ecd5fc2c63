"""What the driver's program tells of GPUs."""

from services.worker import gpus


def test_a_table_of_the_driver_is_read_and_what_it_does_not_tell_is_left_out() -> None:
    """As an H200 and a slice of one, whose use the driver does not tell, are told."""
    told = gpus.readings("0, 37, 1024, 143771\n1, [N/A], 512, 16384\n")
    assert told == {
        gpus._USE: [(0.37, {"gpu": "0"})],
        gpus._USED: [(1024 * 2**20, {"gpu": "0"}), (512 * 2**20, {"gpu": "1"})],
        gpus._SIZE: [(143771 * 2**20, {"gpu": "0"}), (16384 * 2**20, {"gpu": "1"})],
    }
