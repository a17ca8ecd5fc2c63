"""The commands of `loupe`, one module for what belongs together; `loupe.cli` imports a module when its command is called."""
