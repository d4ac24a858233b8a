"""Benchmarks of `latent` against its peers; see README.md."""
