"""Photograph a report as readers see it: `python scripts/photograph_report.py report.html docs/images/report`.

Needs Chromium, Chrome or Edge, and Pillow, which comes with Matplotlib. Writes PREFIX-desktop-light.png and three more,
as long as `--height` says. `make readme-pictures` makes those of the README and of the page on reading a report.
"""

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from gengap.reporting.printing import find_browser

WIDTHS = {"desktop": 1440, "phone": 390}
_NARROWEST = 500
"""Browsers without a window make none that is narrower: a phone's page is photographed in a frame."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("prefix", type=Path)
    parser.add_argument("--height", type=int, default=900, help="pixels from the top, of a desktop's page")
    parser.add_argument("--only", choices=WIDTHS, help="one width; both by default")
    wanted = parser.parse_args()
    wanted.prefix.parent.mkdir(parents=True, exist_ok=True)
    for name, width in WIDTHS.items():
        if wanted.only not in {None, name}:
            continue
        for scheme in ("light", "dark"):
            path = wanted.prefix.with_name(f"{wanted.prefix.name}-{name}-{scheme}.png")
            photograph(wanted.report, path, width, wanted.height if name == "desktop" else 2 * wanted.height, scheme)
            print(path)


def photograph(report: Path, path: Path, width: int, height: int, scheme: str) -> None:
    """Write the upper part of a page as a picture, in the page's own light or dark theme."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        page, frame, shot = (Path(folder) / name for name in ("page.html", "frame.html", "shot.png"))
        source = report.read_text(encoding="utf-8")
        page.write_text(source.replace("<html ", f'<html data-theme="{scheme}" ', 1), encoding="utf-8")
        inside = f'<iframe src="page.html" style="width:{width}px;height:{height}px;border:0"></iframe>'
        frame.write_text(f'<!doctype html><body style="margin:0">{inside}</body>', encoding="utf-8")
        shown = page if width >= _NARROWEST else frame
        command = [
            find_browser(), "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            f"--user-data-dir={Path(folder) / 'profile'}", f"--screenshot={shot}",
            f"--window-size={max(width, _NARROWEST)},{height}", shown.as_uri(),
        ]  # fmt: skip
        if getattr(os, "geteuid", lambda: 1)() == 0:
            command.insert(1, "--no-sandbox")  # browsers refuse to be root with one
        subprocess.run(command, check=True, capture_output=True, timeout=180)
        with Image.open(shot) as picture:
            # 64 colours of a page of text are as many as an eye finds, in a third of the bytes
            picture.convert("RGB").crop((0, 0, width, height)).quantize(64).save(path, optimize=True)


if __name__ == "__main__":
    main()
