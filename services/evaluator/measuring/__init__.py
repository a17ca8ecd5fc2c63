"""Measuring models. metrics needs numpy alone; torch is imported by predict, which only the child process imports."""
