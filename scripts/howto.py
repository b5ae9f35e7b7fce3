"""The diffs of docs/howto: print one, or write it anew.

```text
python scripts/howto.py docs/howto/a_score.md | git apply          # try the page on a clean tree
python scripts/howto.py docs/howto/a_score.md | git apply --3way   # where it no longer applies: mend by hand, then
python scripts/howto.py docs/howto/a_score.md --write              # put what the tree now has on the page
```
"""

import argparse
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```diff\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DIFF = (
    "git",
    "diff",
    "--unified=1",
    "--no-color",
    "--no-ext-diff",
    "HEAD",
    "--",
    "src",
    "tests",
    "scripts",
    "docs",
    ":!docs/howto",
)


def diff_of(page: Path) -> str:
    """Return the one diff that a page holds."""
    (found,) = BLOCK.findall(page.read_text(encoding="utf-8"))
    return str(found)


def diff_of_tree() -> str:
    """Return what the working tree holds beyond its last commit, new files included, but for these pages."""
    subprocess.run(["git", "add", "--intent-to-add", "."], check=True, cwd=ROOT)
    made = subprocess.run(DIFF, check=True, cwd=ROOT, capture_output=True, text=True, encoding="utf-8").stdout
    return re.sub(r"^index .*\n", "", made, flags=re.MULTILINE)  # digests of files would be old tomorrow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--write", action="store_true", help="write the working tree's diff into the page")
    asked = parser.parse_args()
    if not asked.write:
        print(diff_of(asked.page), end="")
        return
    text = asked.page.read_text(encoding="utf-8")
    block = f"```diff\n{diff_of_tree()}```"
    asked.page.write_text(BLOCK.sub(lambda _: block, text), encoding="utf-8")


if __name__ == "__main__":
    main()
