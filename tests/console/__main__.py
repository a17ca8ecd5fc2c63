"""`python -m tests.console`: every page of the built console in Chromium, on an embedded stack of its own.

Pictures of all pages, in Chinese and English, light and dark, are left in out/console to be looked at.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_OUT = _ROOT / "out" / "console"


def _loupe(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "loupe.cli", *arguments], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def _node() -> str:
    beside = Path(sys.executable).with_name("node")
    found = str(beside) if beside.exists() else shutil.which("node")
    if found is None:
        sys.exit("there is no Node.js: `make console` installs one")
    return found


def main() -> int:
    """0 if every page is as it should be."""
    folder = Path(tempfile.mkdtemp(prefix="loupe-console-"))
    stack = ("--data-dir", str(folder / "stack"))
    try:
        _loupe("sample", str(folder / "panels"), "--per-code", "14")
        started = json.loads(_loupe("up", "--detach", "--json", *stack))
        password = started["consoleAccess"].rpartition(" ")[2]
        main_path = ("--dataset", "panels", "--path", "main", *stack)
        _loupe("data", "import", str(folder / "panels"), *main_path)
        url = f"http://{started['addresses']['gateway']}"
        script = str(Path(__file__).with_name("look.mjs"))
        looked = subprocess.run(
            [_node(), script, url, "admin", password, str(_OUT), *sys.argv[1:]], check=False, env=os.environ
        )
        return looked.returncode
    finally:
        _loupe("down", *stack)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
