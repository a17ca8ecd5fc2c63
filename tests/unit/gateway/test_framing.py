"""What goes out on an event stream, read back as the HTML standard reads it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loupe.errors import Aborted, Internal, LoupeError, NotFound, Unauthenticated, Unavailable
from loupe.scheduler.v1 import task_service_pb2

from gateway.events import EventFraming, LogFraming, frame


def parse(stream: bytes) -> list[dict[str, str]]:
    """Events by the rules of https://html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6."""
    events = []
    for block in stream.decode().split("\n\n")[:-1]:
        event: dict[str, str] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                event[name] = (
                    event[name] + "\n" + value.removeprefix(" ") if name in event else value.removeprefix(" ")
                )
        if "data" in event:
            events.append(event)
    return events


@given(
    lines=st.lists(st.text(st.characters(exclude_categories=("Cs",)))),
    cursor=st.text("0123456789:", min_size=1),
)
def test_a_message_is_one_event_with_its_cursor(lines: list[str], cursor: str) -> None:
    """Whatever characters a log line holds, they cannot end the event early or forge another."""
    message = task_service_pb2.ReadLogResponse(lines=lines, cursor=cursor)
    (event,) = parse(EventFraming().message(message))
    assert (event["event"], event["id"]) == ("ReadLogResponse", cursor)
    assert json.loads(event["data"])["lines"] == lines
    assert LogFraming("x").message(message).decode() == "".join(f"{line}\n" for line in lines)


@given(st.text())
def test_no_cursor_forges_an_event(cursor: str) -> None:
    """A cursor is a service's to choose, but a newline in it must not be a new field."""
    try:
        framed = frame("X", b"{}", cursor)
    except UnicodeEncodeError:
        return
    assert framed.count(b"\n\n") == 1
    assert framed.split(b"\n")[-4:] == [b"event: X", b"data: {}", b"", b""]


def test_comments_and_the_opening_are_no_events() -> None:
    """EventSource ignores them."""
    assert parse(EventFraming.opening + EventFraming.keepalive) == []
    assert parse(EventFraming.closing) == [{"event": "end", "data": "{}"}]


@pytest.mark.parametrize(
    "error", [None, Unavailable("away"), Aborted("changed"), Internal("x", reason="CANCELLED")]
)
def test_what_may_pass_ends_the_stream_silently(error: LoupeError | None) -> None:
    """The reader comes again with Last-Event-ID; `end` would tell it not to."""
    assert EventFraming().interruption(error) == b""


@pytest.mark.parametrize("error", [NotFound("deleted"), Unauthenticated("revoked"), Internal("bug")])
def test_what_will_not_pass_is_told_and_ends_it(error: LoupeError) -> None:
    """Coming again would give the same, once a second, for ever."""
    problem, end = parse(EventFraming().interruption(error))
    assert (problem["event"], end["event"]) == ("problem", "end")
    assert json.loads(problem["data"])["reason"] == error.reason


def test_a_broken_log_file_is_cut_off() -> None:
    """A file that ended well would pass for the whole log."""
    assert LogFraming("x").interruption(Unavailable("away")) is None
