"""The gRPC options of our servers and channels: the only place that names them.

gRPC silently ignores an unknown name, so a test looks for each name in gRPC's library.
"""

import json
from typing import Final

Option = tuple[str, int | str]

MAX_MESSAGE_BYTES: Final = 8 * 1024 * 1024

MIN_PING_INTERVAL_MS = 5_000
"""How often a client may ping, with or without a call. The third ping that comes too early closes the
connection. The default of gRPC is one ping in five minutes."""
CLIENT_PING_INTERVAL_MS = 20_000
"""How often our own channels ping. At least twice the interval that servers permit: after a ping that was
delayed on its way, the next one seems early."""
PING_TIMEOUT_MS = 10_000

CONNECT_TIMEOUT_MS = 10_000

_MAX_RECEIVED: Final = "grpc.max_receive_message_length"
_UNASKED_BYTES: Final = 64 * 1024
"""What a server takes of a message before it asks for it."""

_RESOLVE_AGAIN_MS: Final = 2_000
"""A name is looked up again at most so often, after a connection ended: gRPC's default is half a minute."""

_RETRIES = json.dumps(
    {
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 5,
                    "initialBackoff": "0.2s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 2,
                    # A server that ends cancels the calls for which it has no more patience.
                    "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
                },
            }
        ]
    }
)
_BOTH: Final[tuple[Option, ...]] = (
    (_MAX_RECEIVED, MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_timeout_ms", PING_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


def server_options(
    max_request_bytes: int = MAX_MESSAGE_BYTES, *, connection_age_s: float = 0, age_grace_s: float = 0
) -> list[Option]:
    """For a server, which also pings its clients to find broken connections.

    A connection takes no new calls after `connection_age_s` (0: whatever its age), give or take a tenth, and
    ends `age_grace_s` later, with the calls that are still going on.
    """
    ages = {"grpc.max_connection_age_ms": connection_age_s, "grpc.max_connection_age_grace_ms": age_grace_s}
    return [
        *((name, int(age_s * 1000)) for name, age_s in ages.items() if connection_age_s),
        *(option for option in _BOTH if option[0] != _MAX_RECEIVED),
        (_MAX_RECEIVED, max_request_bytes),
        # A message waits at its sender until the server asks for it. The probe would widen the window of
        # every call to megabytes, also of calls that are going to be refused.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _UNASKED_BYTES),
        # Otherwise two servers could silently share one port.
        ("grpc.so_reuseport", 0),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
    ]


def channel_options(*, retries: bool = True) -> list[Option]:
    """For a channel; `retries`: calls that a server does not answer are made again, up to five attempts."""
    options: list[Option] = [
        *_BOTH,
        # The environment's proxy is for pip and npm: it cannot reach our servers and must not see tokens.
        ("grpc.enable_http_proxy", 0),
        ("grpc.keepalive_time_ms", CLIENT_PING_INTERVAL_MS),
        # A server restarts within a second; gRPC's default waits up to two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        # In spite of its name the time in which a connection must be made, the first one too: the handshake
        # of a busy machine, or through a distant network, takes longer than a tenth of a second.
        ("grpc.min_reconnect_backoff_ms", CONNECT_TIMEOUT_MS),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.enable_retries", int(retries)),
        # Calls go to all replicas that a name has, in turn. gRPC's default stays with the first that answers.
        ("grpc.lb_policy_name", "round_robin"),
        ("grpc.dns_min_time_between_resolutions_ms", _RESOLVE_AGAIN_MS),
    ]
    if retries:
        options.append(("grpc.service_config", _RETRIES))
    return options
