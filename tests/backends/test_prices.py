import tomllib
from pathlib import Path

import pytest

from asi_arch.backends.prices import SHIPPED, Price, find_price, load_prices
from asi_arch.errors import UserError


def test_the_shipped_table() -> None:
    groups = tomllib.loads(SHIPPED.read_text())
    assert {"openai", "anthropic", "google", "deepseek", "qwen", "mistral"} <= set(groups)
    for group in groups.values():
        assert group["date"].year >= 2026 and group["source"].startswith("https://")
    for name, price in load_prices().items():
        assert name == name.lower() and 0 < price.input <= price.output
        assert price.cached is None or 0 < price.cached <= price.input


@pytest.mark.parametrize(
    ("tokens", "dollars"),
    [
        ((1_000_000, 0, 0), 2.0),
        ((1_000_000, 1_000_000, 0), 0.5),
        ((1_000_000, 250_000, 100_000), 1.5 + 0.125 + 0.8),
        ((10, 99, 0), 10 * 0.5e-6),
        ((10, -5, 0), 10 * 2e-6),
        ((0, 0, 0), 0.0),
    ],
)
def test_cost(tokens: tuple[int, int, int], dollars: float) -> None:
    price = Price(input=2.0, cached=0.5, output=8.0)
    assert price.cost(*tokens) == pytest.approx(dollars)


def test_cached_tokens_cost_the_same_where_nothing_is_said() -> None:
    assert Price(input=2.0, output=8.0).cost(10, 10, 0) == pytest.approx(20e-6)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-x",
        "openai/gpt-x",
        "openrouter/openai/gpt-x",
        "gpt-x-2024-08-06",
        "openai/gpt-x-2024-08-06",
        "gpt-x-20240806",
        "gpt-x@20240806",
        "gpt-x-0613",
    ],
)
def test_a_price_is_found(name: str) -> None:
    price = Price(input=1, output=2)
    assert find_price({"gpt-x": price}, name) == price


def test_the_exact_name_goes_first() -> None:
    old, new, routed = (Price(input=n, output=n) for n in (3, 2, 1))
    prices = {"gpt-x-2024-08-06": old, "gpt-x": new, "reseller/gpt-x": routed}
    assert find_price(prices, "gpt-x-2024-08-06") == old
    assert find_price(prices, "gpt-x-2024-11-20") == new
    assert find_price(prices, "reseller/gpt-x") == routed


@pytest.mark.parametrize("name", ["", "gpt-x-mini", "gpt", "x/", "my-model"])
def test_no_price_is_none(name: str) -> None:
    assert find_price({"gpt-x": Price(input=1, output=2)}, name) is None


def test_the_users_file_lies_over_the_shipped_one(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(
        '[mine.models]\n"gpt-4o" = {input = 1, output = 2}\n"own" = {input = 0, output = 0}'
    )
    prices = load_prices(file)
    assert prices["gpt-4o"] == Price(input=1, output=2) and prices["own"].cost(9, 0, 9) == 0
    assert prices["gpt-4o-mini"] == load_prices()["gpt-4o-mini"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[mine", "mine"),
        ('[mine.models]\n"m" = {input = 1}', "mine.models.m.output: Field required"),
        ('[mine.models]\n"m" = {input = -1, output = 1}', "mine.models.m.input: .*greater"),
        ('[mine.models]\n"m" = {input = nan, output = 1}', "mine.models.m.input"),
        ('[mine.models]\n"m" = {input = 1, output = 1, extra = 2}', "extra: Extra inputs"),
        ('[mine]\n"m" = {input = 1, output = 1}', "mine.models: Field required"),
        ("x = 1", "x: "),
    ],
)
def test_a_bad_file_is_a_user_error(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=sentence) as caught:
        load_prices(file)
    assert str(file) in str(caught.value) and "[mine.models]" in str(caught.value)


def test_no_file_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the prices .*No such file"):
        load_prices(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"binary\.toml"):
        load_prices(tmp_path / "binary.toml")
