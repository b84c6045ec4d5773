"""One unpatched and one patched local cloud a session, each with the fixture stack."""

from collections.abc import Iterator

import pytest

from scripts.local_cloud import cloud as local_cloud
from tests.local_cloud.pipeline import Pipeline


def _running(directory, *, patched: bool) -> Iterator[Pipeline]:
    pipeline = Pipeline(local_cloud.start(directory, patched=patched))
    try:
        pipeline.deploy()
        yield pipeline
    finally:
        local_cloud.stop(directory)


@pytest.fixture(scope="session")
def patched(tmp_path_factory) -> Iterator[Pipeline]:
    yield from _running(tmp_path_factory.mktemp("patched"), patched=True)


@pytest.fixture(scope="session")
def unpatched(tmp_path_factory) -> Iterator[Pipeline]:
    yield from _running(tmp_path_factory.mktemp("unpatched"), patched=False)
