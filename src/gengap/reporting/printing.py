"""The page on paper: a browser prints it, since only a browser draws what the page's script draws."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gengap.errors import MissingExtraError

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "msedge")
_ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
_INSTALL = {
    "linux": "sudo apt install chromium",
    "darwin": "brew install --cask google-chrome",
    "win32": "winget install Google.Chrome",
}
_PATIENCE = 180
"""Seconds after which a browser that has not printed is given up."""


def find_browser() -> str:
    """Return the path of a browser that prints without a window.

    `GENGAP_BROWSER` names one that is not found by itself.

    Raises:
        MissingExtraError: There is none.
    """
    found = next(_browsers(), None)
    if found is None:
        command = _INSTALL.get(sys.platform, _INSTALL["linux"])
        raise MissingExtraError(
            f"a PDF is printed by a browser (Chromium, Chrome or Edge), and none was found: {command}, or name one in "
            "GENGAP_BROWSER; `--format html` and `--format md` need none"
        )
    return found


def _browsers() -> Iterator[str]:
    named = os.environ.get("GENGAP_BROWSER")
    if named:
        yield from filter(None, [shutil.which(named)])
        return
    yield from filter(None, map(shutil.which, _NAMES))
    yield from (path for path in _ELSEWHERE if Path(path).is_file())


def print_page(page: str, path: Path, *, browser: str) -> None:
    """Print a page of the report.

    Args:
        page: The page, as text.
        path: Where to write the PDF.
        browser: See `find_browser`.

    Raises:
        MissingExtraError: The browser did not print.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a browser may still write its profile
        source, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_text(page, encoding="utf-8")
        command = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer",
            f"--user-data-dir={Path(folder) / 'profile'}", f"--print-to-pdf={printed}", source.as_uri(),
        ]  # fmt: skip
        if getattr(os, "geteuid", lambda: 1)() == 0:
            command.insert(1, "--no-sandbox")  # browsers refuse to be root with one
        try:
            done = subprocess.run(command, capture_output=True, timeout=_PATIENCE, check=False)  # noqa: S603  our own page
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MissingExtraError(f"{browser} did not print the report: {error}") from None
        if not printed.exists():
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise MissingExtraError(f"{browser} did not print the report: {last[0]}")
        shutil.copyfile(printed, path)
