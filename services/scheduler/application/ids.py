"""Ids that sort by age."""

import secrets
from datetime import datetime

# Crockford's alphabet in lower case: no letter looks like a digit.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_CHARACTERS = 10
_RANDOM_CHARACTERS = 12


def new_id(now: datetime) -> str:
    """22 characters: milliseconds since 1970, then 60 random bits."""
    value = int(now.timestamp() * 1000) << (5 * _RANDOM_CHARACTERS) | secrets.randbits(5 * _RANDOM_CHARACTERS)
    return "".join(
        _ALPHABET[(value >> 5 * place) & 31]
        for place in reversed(range(_TIME_CHARACTERS + _RANDOM_CHARACTERS))
    )
