"""What a task may become, what a wizard accepts, what a lease allows. Standard library and kit.errors only."""
