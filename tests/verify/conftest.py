"""What earlier tests left to be collected would be seen as the doing of the next program."""

import gc

import pytest


@pytest.fixture(autouse=True)
def nothing_to_collect() -> None:
    gc.collect()
