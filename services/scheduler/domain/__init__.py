"""What a task may become, what a wizard accepts, what a lease allows. Imports loupe.errors only."""
