"""Photograph a report as readers see it: `python scripts/photograph_report.py report.html docs/images/report`.

Needs Debian's chromium and chromium-driver, and selenium. Writes PREFIX-desktop-light.png and three more, each as long
as `--height` pixels (the whole page by default). `make readme-pictures` makes those of the README.
"""

import argparse
import base64
import tempfile
from pathlib import Path
from typing import Any

from selenium import webdriver

FLAGS = (
    "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars",
)  # fmt: skip
WIDTHS = {"desktop": 1280, "phone": 390}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("prefix", type=Path)
    parser.add_argument("--height", type=int, help="pixels from the top; the whole page by default")
    parser.add_argument("--only", choices=WIDTHS, help="one width; both by default")
    wanted = parser.parse_args()
    wanted.prefix.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        browser = start(profile)
        try:
            for name, width in WIDTHS.items():
                if wanted.only not in {None, name}:
                    continue
                for scheme in ("light", "dark"):
                    picture = photograph(browser, wanted.report, width, scheme, wanted.height)
                    path = wanted.prefix.with_name(f"{wanted.prefix.name}-{name}-{scheme}.png")
                    path.write_bytes(picture)
                    print(path)
        finally:
            browser.quit()


def start(profile: str) -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    return webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))


def photograph(browser: Any, report: Path, width: int, scheme: str, height: int | None) -> bytes:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1 if width > 600 else 2, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    browser.get(report.resolve().as_uri())
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    whole = browser.execute_script("return document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height or whole, whole), "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
    return base64.b64decode(shot["data"])


if __name__ == "__main__":
    main()
