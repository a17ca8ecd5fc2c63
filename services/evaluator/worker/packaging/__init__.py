"""Builds what inspection machines load (X): zips of models.xbin, libCsotArtifact.so and config.yaml."""
