"""Descriptions of the command line: commands, their arguments and options."""

from __future__ import annotations

import enum
from typing import Any

import typer


def describe() -> dict[str, Any]:
    """Every command with its parameters, by their names in the program."""
    from edge_experts.cli import app

    group = typer.main.get_command(app.app)
    commands: dict[str, Any] = {"": group, **group.commands}  # type: ignore[attr-defined]
    return {
        name: {
            "hidden": bool(command.hidden),
            "parameters": {one.name: _parameter(one) for one in command.params},
        }
        for name, command in commands.items()
    }


def _parameter(one: Any) -> dict[str, Any]:
    """What a parameter takes; what is empty or false is left out."""
    kind, option = one.type, one.param_type_name == "option"
    described = {
        "kind": one.param_type_name,
        "names": one.opts if option else [],
        "negative_names": one.secondary_opts,
        "type": getattr(kind, "name", type(kind).__name__),
        "choices": list(map(_plain, getattr(kind, "choices", ()) or ())),
        "min": getattr(kind, "min", None),
        "max": getattr(kind, "max", None),
        "default": _plain(one.default() if callable(one.default) else one.default),
        "required": one.required,
        "multiple": getattr(one, "multiple", False),
        "nargs": one.nargs,
        "hidden": getattr(one, "hidden", False),
        "flag": getattr(one, "is_flag", False),
    }
    return {key: value for key, value in described.items() if value not in (None, [], False)} | (
        {"default": described["default"]} if described["default"] == 0 else {}
    )


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return list(map(_plain, value))
    # A mark for "no default": click has one of its own in some versions.
    return None if "UNSET" in repr(value).upper() else str(value)


def differences(recorded: dict[str, Any], current: dict[str, Any]) -> list[str]:
    """Name what of the recorded commands is missing or changed; new ones may come."""
    found = []
    for command, wanted in recorded.items():
        if command not in current:
            found.append(f"{command}: the command is missing")
            continue
        given = current[command]
        if given["hidden"] != wanted["hidden"]:
            found.append(f"{command}: hidden was {wanted['hidden']}")
        for name, parameter in wanted["parameters"].items():
            if name not in given["parameters"]:
                found.append(f"{command} {name}: the parameter is missing")
                continue
            now = given["parameters"][name]
            for key in sorted({*parameter, *now}):
                value, given_now = parameter.get(key), now.get(key)
                if not _holds(key, value, given_now):
                    found.append(f"{command} {name}: {key} was {value!r}, is {given_now!r}")
        places = [name for name, one in wanted["parameters"].items() if one["kind"] == "argument"]
        now_in_place = [
            name for name, one in given["parameters"].items() if one["kind"] == "argument"
        ]
        if now_in_place[: len(places)] != places:
            found.append(f"{command}: arguments were {places}, are {now_in_place}")
    return found


def _holds(key: str, recorded: Any, current: Any) -> bool:
    """Return whether a value is as recorded; further names and choices may come."""
    if key in ("names", "negative_names", "choices") and recorded:
        return set(recorded) <= set(current or ())
    if key == "nargs" and recorded == 1:
        return current in (1, -1)  # several may be given
    if key == "required":
        return not current or bool(recorded)  # it may be left out
    return bool(recorded == current)
