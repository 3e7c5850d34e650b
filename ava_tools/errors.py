"""The error that bad input ends in: one plain sentence, made to be shown to the user as it stands."""

from __future__ import annotations


class InputError(ValueError):
    """Something that was given is wrong. The message names the input, what was found, what is allowed."""
