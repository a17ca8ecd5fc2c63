"""Names at NATS that the services and the configuration of a server must agree on."""

MIRROR_API, MIRROR_DELIVER = "loupe.mirrors.api", "loupe.mirrors.deliver"
"""How the account of the copies names the API of the services' account, and where it gets messages from."""
MIRRORS_INBOX = "loupe.inbox.mirrors"


def inbox_prefix(name: str) -> str:
    """Below which a process of that name gets its answers."""
    return f"_INBOX.{name}"
