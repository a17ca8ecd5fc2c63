"""The commands of `loupe`; `loupe.cli` imports a module when one of its commands is called."""
