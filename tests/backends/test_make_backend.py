import logging
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import asi_arch.backends as backends
from asi_arch.backends import backend_names, make_backend
from asi_arch.backends.scripted import ScriptedBackend
from asi_arch.errors import UserError
from asi_arch.records import RoleSettings

SETTINGS = RoleSettings(model="m", base_url="http://localhost:1/v1")
PLUGIN = """
from asi_arch.records import Reply

class Echo:
    def __init__(self, settings):
        self.settings = settings
    async def complete(self, request):
        return Reply(text=request.messages[-1].content)

class Mute:
    def __init__(self, settings):
        pass

class Bare:
    async def complete(self, request):
        return Reply(text="")
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "plugin_for_test.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "plugin_for_test", raising=False)
    return "plugin_for_test"


def install(monkeypatch: pytest.MonkeyPatch, **points: str) -> None:
    found = [EntryPoint(name, value, backends.GROUP) for name, value in points.items()]
    monkeypatch.setattr(backends, "entry_points", lambda group: found)


def test_shipped_names() -> None:
    assert {"openai", "azure", "replay", "scripted"} <= set(backend_names())
    assert isinstance(make_backend("scripted", SETTINGS), ScriptedBackend)
    assert type(make_backend("openai", SETTINGS)).__name__ == "OpenAIBackend"


def test_dotted_path(plugin: str) -> None:
    backend = make_backend(f"{plugin}:Echo", SETTINGS)
    assert vars(backend)["settings"] == SETTINGS


def test_entry_point(plugin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, echo=f"{plugin}:Echo")
    assert backend_names() == ["openai", "azure", "replay", "scripted", "echo"]
    assert type(make_backend("echo", SETTINGS)).__name__ == "Echo"


def test_a_plugin_cannot_take_a_shipped_name(plugin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, scripted=f"{plugin}:Echo")
    assert isinstance(make_backend("scripted", SETTINGS), ScriptedBackend)


def test_a_broken_entry_point_is_named_and_skipped(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    install(monkeypatch, broken="no_such_module_here:X")
    with caplog.at_level(logging.WARNING):
        assert "broken" not in backend_names()
    assert "no_such_module_here" in caplog.text
    with pytest.raises(UserError, match=r"cannot load backend 'broken'.*Available: openai"):
        make_backend("broken", SETTINGS)


def test_unknown_name_lists_the_available_ones() -> None:
    with pytest.raises(UserError, match="unknown backend 'opnai'; available: openai, azure, "):
        make_backend("opnai", SETTINGS)


@pytest.mark.parametrize("attribute", ["Missing", "Mute", "Bare", "nested.Missing"])
def test_what_is_no_backend_is_a_user_error(plugin: str, attribute: str) -> None:
    with pytest.raises(UserError, match=plugin):
        make_backend(f"{plugin}:{attribute}", SETTINGS)


def test_a_module_that_does_not_compile_is_a_user_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uncompilable_plugin.py").write_text("def (")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="uncompilable_plugin"):
        make_backend("uncompilable_plugin:X", SETTINGS)
