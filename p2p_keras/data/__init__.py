"""Galaxies with known profiles: mocks, packed real images, the shards that hold both, and the input pipeline."""
