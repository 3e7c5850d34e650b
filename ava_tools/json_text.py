"""A json text that somebody else wrote."""

from __future__ import annotations

import json
from typing import Any

from ava_tools.errors import InputError


def parsed(data: bytes | str, where: str) -> Any:
    """The content of a json text; ``where`` it stands begins the complaint.

    Raises:
        InputError: it is no json.
    """
    try:
        return json.loads(data)
    except RecursionError:
        raise InputError(f"{where}: is no json of annotations (nested too deeply)") from None
    except ValueError as problem:
        raise InputError(f"{where}: is no json ({str(problem)[:200]})") from None
