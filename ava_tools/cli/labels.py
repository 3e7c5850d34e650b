"""``ava-tools labels``."""

from __future__ import annotations

from ava_tools.labels import ava_labels


def labels() -> None:
    """List AVA's 80 actions as csv: id, name, kind, and whether the metric scores them."""
    print("id,name,kind,scored")
    for action in ava_labels():
        name = f'"{action.name}"' if "," in action.name else action.name
        print(f"{action.id},{name},{action.kind},{int(action.scored)}")
