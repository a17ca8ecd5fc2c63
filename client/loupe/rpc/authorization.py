"""The header that carries a caller's token."""

AUTHORIZATION = "authorization"


def bearer(token: str) -> tuple[str, str]:
    """The metadata entry that shows a token."""
    return AUTHORIZATION, f"Bearer {token}"
