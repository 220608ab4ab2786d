"""Training options: dataclasses as command-line options and JSON recipes."""

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


class UsageError(ValueError):
    """An option that cannot be followed; the message says why."""


def flat(config: Any, prefix: str = "") -> dict[str, Any]:
    """The dataclass's fields by name; those of dataclasses in a dictionary as `KEY_NAME`."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(value, Mapping):
            for key, part in value.items():
                values |= flat(part, f"{prefix}{key}_")
        else:
            values[prefix + field.name] = value
    return values


def replaced(config: T, values: Mapping[str, Any], prefix: str = "") -> T:
    """The dataclass with those of the `flat` values that it knows, each of the present one's kind
    (a whole number may stand for a float, a list for a tuple)."""
    new: dict[str, Any] = {}
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        old, name = getattr(config, field.name), prefix + field.name
        if isinstance(old, Mapping):
            parts = old.items()
            new[field.name] = {k: replaced(v, values, f"{prefix}{k}_") for k, v in parts}
        elif name in values:
            new[field.name] = type(old)(values[name])
    return dataclasses.replace(config, **new)  # type: ignore[type-var]


def read_recipe(config: T, path: Path) -> T:
    """The dataclass with the values of a JSON file.

    Raises UsageError where it is no JSON object, or names an option that there is none of.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: expected JSON, got something else ({error})") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path}: expected options by their names, {{…}}, got {str(values)[:60]}")
    if unknown := values.keys() - flat(config).keys():
        raise UsageError(f"{path}: no option is called {', '.join(sorted(unknown))}")
    return replaced(config, values)


def add_config_arguments(parser: argparse.ArgumentParser, config: Any) -> None:
    """One `--option` for each of the `flat` values, which are the defaults."""
    for name, default in flat(config).items():
        option = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        elif isinstance(default, tuple):
            parser.add_argument(option, type=type(default[0]), nargs="+", default=default)
        else:
            parser.add_argument(option, type=type(default), default=default)


def config_from_arguments(config: T, arguments: argparse.Namespace) -> T:
    """The dataclass filled from what `add_config_arguments` parsed."""
    return replaced(config, vars(arguments))
