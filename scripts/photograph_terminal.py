"""Show tables as terminals do: `python scripts/photograph_terminal.py demo/soundings docs/images/terminal`.

Writes compare-80.svg and three more, each a picture that any browser opens, with the colours of the verdicts; names a
line that is wider than its terminal.
"""

import argparse
import io
import re
from pathlib import Path

from rich.console import Console

import gengap as gg

TABLES = {"compare": gg.compare, "diagnose": gg.diagnose}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("result", type=Path, help="the folder of a result")
    parser.add_argument("to", type=Path, help="folder of the pictures")
    parser.add_argument("--widths", type=int, nargs="*", default=[80, 120])
    wanted = parser.parse_args()
    wanted.to.mkdir(parents=True, exist_ok=True)
    result = gg.load(wanted.result)
    for name, of in TABLES.items():
        table = of(result)
        for width in wanted.widths:
            console = Console(
                record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor"
            )
            console.print(table)
            widest = max(map(len, console.export_text(clear=False).splitlines()))
            path = wanted.to / f"{name}-{width}.svg"
            picture = console.export_svg(title=f"gg.{name}(result), {width} columns")
            # its fonts would come from a server; every system has some of equal widths
            path.write_text(re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL), encoding="utf-8")
            print(f"{path}: widest line {widest}{'' if widest <= width else ', wider than the terminal'}")


if __name__ == "__main__":
    main()
