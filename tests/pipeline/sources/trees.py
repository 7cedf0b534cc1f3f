"""Folders of empty files, whose names are all that counts."""

from pathlib import Path


def write_tree(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder
