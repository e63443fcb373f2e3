"""Find the folders that hold words and SQL rather than Python: `agents/` and `db/`."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def content(name: str) -> Path:
    """Return the folder `name`: the one shipped in the wheel, else the one beside the package.

    Raises:
        FileNotFoundError: neither exists, so the installation is broken.
    """
    for folder in (_PACKAGE / "_content" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"{name}/ is missing beside {_PACKAGE}; reinstall asi-arch")
