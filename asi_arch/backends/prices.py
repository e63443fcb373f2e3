"""What language models cost: a dated table that ships, and the user's own laid over it."""

import datetime
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from asi_arch.errors import UserError
from asi_arch.records import Record

SHIPPED = Path(__file__).with_name("prices.toml")
_DATE = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")


class Price(Record):
    """US dollars per million tokens; a cached token costs the same as any where not said."""

    input: float = Field(ge=0, allow_inf_nan=False)
    cached: float | None = Field(None, ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)

    def cost(self, prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> float:
        """Return US dollars; the cached tokens are a part of those of the prompt."""
        cached = min(max(cached_tokens, 0), prompt_tokens)
        cached_price = self.input if self.cached is None else self.cached
        asked = (prompt_tokens - cached) * self.input + cached * cached_price
        return (asked + completion_tokens * self.output) / 1e6


class _Group(BaseModel):
    """The models of one provider, and when and where their prices were read."""

    model_config = ConfigDict(extra="forbid")

    date: datetime.date | None = None
    source: str = ""
    models: dict[str, Price]


_GROUPS = TypeAdapter(dict[str, _Group])


def load_prices(file: Path | None = None) -> dict[str, Price]:
    """Return the price of each model; those of `file` go before the shipped ones.

    Raises:
        UserError: the file cannot be read or is none of prices.
    """
    prices = _read(SHIPPED)
    return prices if file is None else prices | _read(file)


def find_price(prices: Mapping[str, Price], model: str) -> Price | None:
    """Return the price of a model: by its name, without its provider, without its date."""
    return next((prices[name] for name in _names(model) if name in prices), None)


def _names(model: str) -> Iterator[str]:
    names = [model]
    while "/" in names[-1]:
        names.append(names[-1].partition("/")[2])
    yield from names
    yield from (_DATE.sub("", name) for name in names)


def _read(file: Path) -> dict[str, Price]:
    try:
        groups = _GROUPS.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"cannot read the prices {file}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(f"prices {file}: {where}: {first['msg']}; {_FORM}") from error
    except ValueError as error:
        raise UserError(f"prices {file}: {error}; {_FORM}") from error
    return {name: price for group in groups.values() for name, price in group.models.items()}


_FORM = 'write [mine.models] and then "MODEL" = { input = 1.0, cached = 0.1, output = 4.0 }'
