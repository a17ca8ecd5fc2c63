"""Why a package cannot be made."""


class NotPackageable(ValueError):
    """The weights cannot be packaged; the message is a sentence for a person."""


class CannotBuild(RuntimeError):
    """The native library cannot be built on this machine; the message names the remedy."""
