"""The tenant of the pipeline tests, with ways out that keep what they are given."""

from tests.functional.pipeline.conftest import bench, knowledge

__all__ = ["bench", "knowledge"]
