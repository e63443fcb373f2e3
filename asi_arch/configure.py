"""How a configuration comes about: a preset, a TOML file and `key=value` settings, merged."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from asi_arch.config import Config
from asi_arch.errors import UserError
from asi_arch.records import Campaign, RoleSettings

PRESETS = Path(__file__).parent / "presets"
_CHANGEABLE = ("budget", "jobs", "sandbox")
_LONGEST_FILE = 2**20


def preset_names() -> list[str]:
    """Names of the shipped presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_config(
    preset: str = "demo", file: Path | None = None, settings: Iterable[str] = ()
) -> Config:
    """Merge a preset, a TOML file and `key=value` settings, the later over the earlier.

    Raises:
        UserError: an unknown preset or key, an unreadable file, or a value out of range.
    """
    values = _read_toml(_preset_path(preset))
    if file is not None:
        _merge(values, _read_toml(file))
    for setting in settings:
        _merge(values, _parse_setting(setting))
    return parse_config(values)


def changed_config(config: Config, settings: Iterable[str]) -> Config:
    """Return the configuration with settings that do not touch what is being measured.

    Raises:
        UserError: a key other than `sandbox` and those of `budget` and `jobs`, or a value out of
            range.
    """
    values = config.model_dump(mode="json")
    for setting in settings:
        if setting.partition("=")[0].partition(".")[0] not in _CHANGEABLE:
            raise UserError(
                f"--set {setting} would change what this campaign measures; "
                f"only these may change: {', '.join(_changeable_keys())}"
            )
        _merge(values, _parse_setting(setting))
    return parse_config(values)


def parse_config(values: Mapping[str, Any]) -> Config:
    """Return the configuration with these values.

    Raises:
        UserError: a key is unknown or a value is not allowed; the sentence names it.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise UserError(_explain(error)) from error


def stored_config(campaign: Campaign) -> Config:
    """Return the configuration that the database holds of a campaign.

    Raises:
        UserError: another version of asi-arch, which had other keys, recorded it.
    """
    try:
        return Config.model_validate(campaign.config)
    except ValidationError as error:
        raise UserError(
            f"campaign {campaign.id} was recorded by another version of asi-arch "
            f"({_explain(error)}); go on with that version, or start anew: asi-arch run"
        ) from error


def _changeable_keys() -> list[str]:
    sections = (name for name in _CHANGEABLE if name != "sandbox")
    return [*(f"{name}.{key}" for name in sections for key in _keys((name,))), "sandbox"]


def _preset_path(name: str) -> Path:
    if name not in preset_names():
        raise UserError(f"unknown preset {name!r}; choose one of: {', '.join(preset_names())}")
    return PRESETS / f"{name}.toml"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read(_LONGEST_FILE + 1)
        values = tomllib.loads(text) if len(text) <= _LONGEST_FILE else None
    except OSError as error:
        raise UserError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}") from error
    if values is None:
        raise UserError(f"{path} has over {_LONGEST_FILE} characters; it is no configuration")
    if not values:
        raise UserError(f"the configuration {path} is empty; see: asi-arch presets demo")
    return values


def _parse_setting(setting: str) -> dict[str, Any]:
    """Turn `explore.tokens=2e6` into nested values; text that is not TOML is taken as a string."""
    key, sep, text = setting.partition("=")
    if not sep or not key:
        raise UserError(f"cannot read --set {setting!r}; write key=value, as in explore.tokens=2e6")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":  # one of our own validators, about several values
        return f"{key}: {first['ctx']['error']}" if key else str(first["ctx"]["error"])
    if first["type"] != "extra_forbidden":
        return f"{key} = {first['input']!r} is not allowed: {first['msg'].lower()}"
    allowed = _keys(first["loc"][:-1])
    close = difflib.get_close_matches(str(first["loc"][-1]), allowed, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else "."
    return f"unknown key {key!r}{guess} Allowed here: {', '.join(allowed)}"


def _keys(location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the section at `location`."""
    section: Any = Config
    for part in location:
        field = section.model_fields.get(part) if hasattr(section, "model_fields") else None
        section = field.annotation if field else RoleSettings
    return sorted(section.model_fields)
