"""Who requests a change, for the domains of all services (A2)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """Who requests an operation. `may_act_for_all`: an administrator, or a service of the installation."""

    name: str
    may_act_for_all: bool = False
