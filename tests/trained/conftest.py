"""A small trained campaign that is exported and evaluated."""

from collections.abc import Iterator

import pytest

from tests.campaigns import run_campaign, text_folder, tiny_config

UNTIED = ("confirm.tied=false", "confirm.parameters=17000")


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A campaign whose confirm stage has a head of its own."""
    folder = tmp_path_factory.mktemp("campaign")
    config = tiny_config(text_folder(folder / "text"), "budget.experiments=1", *UNTIED)
    run_campaign(str(folder / "a.db"), config, folder)
    return str(folder / "a.db")


@pytest.fixture(scope="session", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is fetched, and nothing is left behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_DATASETS_OFFLINE", "1")
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        yield
