"""`python -m tests.console`: the built console in Chromium, on an embedded stack of its own.

A person does the main job in Chinese, another in English, and every page is looked at: these are the specs of
gateway/console/e2e. Arguments go to Playwright. Pictures are left in out/console, with an index.html to look
through them, and Playwright's own report in out/console/report.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from loupe.sample import write_sample
from PIL import Image, ImageOps

from tests.support.node import node

_ROOT = Path(__file__).resolve().parents[2]
CONSOLE = _ROOT / "gateway/console"
PLAYWRIGHT = CONSOLE / "node_modules/@playwright/test/cli.js"
# What people have on disk: (language, images of each ordinary code to train with, seed).
_FOLDERS = (("zh", 18, 11), ("en", 14, 12))


def _loupe(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "loupe.cli", *arguments], check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def _write_folders(folder: Path) -> None:
    """What people import: pictures to train with, and a bank in which some lie in two codes' folders."""
    for language, per_code, seed in _FOLDERS:
        panels, bank = folder / language / "panels", folder / language / "bank"
        write_sample(panels, per_code=per_code, seed=seed)
        write_sample(bank, per_code=5, seed=seed + 100)
        (panels / "notes.txt").write_text("taken on line 1\n")
        # A code that the image's default does not list: its samples are left out, and that is a warning (W5).
        unlisted = panels / "XNEW1"
        unlisted.mkdir()
        for picture in sorted((panels / "TPFIP").glob("*_1.jpg"))[:4]:
            ImageOps.mirror(Image.open(picture)).save(unlisted / picture.name, quality=92)
        for picture in sorted((bank / "TPFIP").glob("*_1.jpg"))[:2]:
            shutil.copy(picture, bank / "TPOTS" / f"again-{picture.name}")


def main() -> int:
    """0 if every spec passes."""
    folder = Path(tempfile.mkdtemp(prefix="loupe-console-"))
    stack = ("--data-dir", str(folder / "stack"))
    try:
        _write_folders(folder)
        started = json.loads(_loupe("up", "--detach", "--json", *stack))
        announced = {
            "CONSOLE_URL": f"http://{started['addresses']['gateway']}",
            "CONSOLE_PASSWORD": started["consoleAccess"].rpartition(" ")[2],
            "CONSOLE_FOLDER": str(folder),
        }
        command = [node(), str(PLAYWRIGHT), "test", *sys.argv[1:]]
        return subprocess.run(command, check=False, cwd=CONSOLE, env=os.environ | announced).returncode
    finally:
        _loupe("down", *stack)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
