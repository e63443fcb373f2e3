import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import asi_arch.backends as backends
from asi_arch.errors import UserError
from asi_arch.records import Message, Request, RoleSettings

PAGE = Path(__file__).parents[2] / "docs" / "backends.md"


def test_the_code_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2 and len(blocks[0].splitlines()) <= 20
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert "answer type was ignored" in capsys.readouterr().out
    backend = names["UpperCase"](RoleSettings(model="capitals"))
    request = Request(
        experiment_id=0,
        role="r",
        task="t",
        messages=(Message(role="user", content="why"),),
        answer_type=BaseModel,
    )
    assert asyncio.run(backend.complete(request)).text == "WHY"
    with pytest.raises(UserError, match="capitals"):
        names["UpperCase"](RoleSettings(model="other"))


def test_the_page_names_the_shipped_backends() -> None:
    first_table = PAGE.read_text().partition("```")[0]
    named = re.findall(r"^\| `(\w+)` \|", first_table, re.MULTILINE)
    assert set(named) == set(backends._SHIPPED)
