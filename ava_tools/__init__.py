"""AVA's files, films and metric; numpy and pandas, never torch."""

from ava_tools.errors import InputError
from ava_tools.labels import Action, Labels, ava_labels

__all__ = ["Action", "InputError", "Labels", "ava_labels"]
