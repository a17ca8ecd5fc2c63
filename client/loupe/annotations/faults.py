"""Why an annotation, or a whole file of them, is not taken."""


class Unusable(ValueError):
    """Something is set aside; `reason` is stable, `message` names the place, the fact and the remedy."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
