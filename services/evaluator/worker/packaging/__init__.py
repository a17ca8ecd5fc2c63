"""Packages that an inspection machine loads (X): a zip of models.xbin, libCsotArtifact.so and config.yaml."""
