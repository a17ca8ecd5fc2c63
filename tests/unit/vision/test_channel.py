"""The children's channel, and SIGTERM at any moment."""

from tests.support.interruption import try_every_point


def test_a_second_sigterm_during_the_first_waits_for_nothing():
    """A child that is asked to stop twice still writes its checkpoint."""
    try_every_point("second")


def test_a_sigterm_at_any_bytecode_ends_the_service_in_order():
    """No line is torn, an order that was begun is carried out, and the exit code is 143, not a crash's."""
    try_every_point("serve")
