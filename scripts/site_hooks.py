"""What MkDocs does to a page when it is written: Chinese pages say that they are, and head their contents."""

from typing import Any

CHINESE = (".zh.md", ".zh.ipynb")
HEADS = {'<html lang="en"': '<html lang="zh"', "Table of contents": "目录", "Back to top": "回到页首"}


def on_post_page(output: str, *, page: Any, config: Any) -> str:  # noqa: ARG001  MkDocs gives it by name
    """Return a page in which what the theme says is in the page's language."""
    if page.file.src_uri.endswith(CHINESE):
        for english, chinese in HEADS.items():
            output = output.replace(english, chinese)
    return output
