"""Backup, verification and restoring of an embedded stack (docs/operating/storage.md).

`making` writes a backup, `verifying` reads all of it, `restoring` makes a data folder of it. All three know
places by `places`, encryption by `sealing` and the content by `manifest`; `database` and `events` are the two
stores besides the objects.
"""
