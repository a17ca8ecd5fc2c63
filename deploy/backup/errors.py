"""What a backup, its verification or a restore refuses."""

from deploy.embedded.errors import StackError


class BackupError(StackError):
    """A backup that cannot be made, read or restored; the message says what would help."""


class WrongPassphrase(BackupError):
    """A backup is encrypted, and no or another passphrase was given."""
