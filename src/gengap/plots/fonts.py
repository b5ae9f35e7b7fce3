"""Letters beyond Latin: the fonts of this machine that have them, and one sentence where there is none."""

import re
import warnings
from functools import cache

from gengap.errors import GengapWarning

_WITH_CHINESE_JAPANESE_OR_KOREAN = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB", "Heiti SC",
    "Microsoft YaHei", "SimHei", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback",
    "Noto Sans CJK TC", "PingFang TC", "Microsoft JhengHei", "Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans",
    "Yu Gothic", "Meiryo", "IPAexGothic", "TakaoGothic", "Noto Sans CJK KR", "Noto Sans KR", "Apple SD Gothic Neo",
    "Malgun Gothic", "NanumGothic", "Arial Unicode MS",
)  # fmt: skip
_THEIR_LETTERS = re.compile(r"[\u1100-\u11ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


@cache
def fonts_for_all_letters() -> tuple[str, ...]:
    """Return the installed fonts with Chinese, Japanese or Korean letters; they stand in where the first has none."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return tuple(name for name in _WITH_CHINESE_JAPANESE_OR_KOREAN if name in installed)


def check_letters(name: str) -> None:
    """Say once what to install where the letters of a name would be drawn as boxes.

    Warns:
        GengapWarning: No installed font has the letters.
    """
    if _THEIR_LETTERS.search(name) and not fonts_for_all_letters():
        warnings.warn(
            "No font with Chinese, Japanese or Korean letters is installed, so figures draw boxes instead of them: "
            "install one (sudo apt install fonts-noto-cjk) and remove Matplotlib's list of fonts "
            "(matplotlib.get_cachedir()).",
            GengapWarning,
            stacklevel=2,
        )
