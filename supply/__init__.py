"""What Loupe is made of: lock files, licences, the software bill of materials, audits. Part of no wheel."""
