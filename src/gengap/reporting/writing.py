"""The page: sections filled into one template, with style and script inside it."""

import base64
import hashlib
import re
from dataclasses import replace
from importlib import resources
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

from jinja2 import BytecodeCache, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from gengap._version import __version__
from gengap.analysis.claims import given_message
from gengap.errors import StoreError
from gengap.reporting.languages import Language, get_language
from gengap.reporting.material import Material
from gengap.reporting.sections import SECTIONS
from gengap.reporting.sections.findings import sentences
from gengap.results.checks import check_is_result
from gengap.results.resampled import resampling_of

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

    from gengap.analysis.uncertainty import PredictiveDistribution, RateChoice
    from gengap.results import Result


class _Compiled(BytecodeCache):
    """The code of the templates, which every page of a process shares: to compile it takes as long as a figure."""

    def __init__(self) -> None:
        self._code: dict[str, CodeType | None] = {}

    def load_bytecode(self, bucket: "Bucket") -> None:
        bucket.code = self._code.get(bucket.key)

    def dump_bytecode(self, bucket: "Bucket") -> None:
        self._code[bucket.key] = bucket.code


_TEMPLATES = _Compiled()


def report(
    result: "Result",
    path: str | Path,
    *,
    lang: str = "en",
    distribution: "PredictiveDistribution | None" = None,
    rate_choice: "RateChoice | None" = None,
) -> Path:
    """Write one self-contained HTML page about a result.

    Args:
        result: The result of a study, or one from elsewhere; sections that it holds nothing for are absent.
        path: Where to write; missing folders are made.
        lang: Language of the page, `"en"` or `"zh"`.
        distribution: Predictive distribution of the cases to be shown, as `predict_distribution` gives it; the page
            draws the first six. Where its settings say `part` (`"test"` or `"validation"`), its samples are positions
            in that split, and the page shows what happened; `kinds` then names what each is a case of.
        rate_choice: What `choose_rate` found for one of the models: the page shows the quality of the uncertainty
            before and after.

    Returns:
        The path of the page.

    Raises:
        UnknownNameError: The report does not speak the language.
        StoreError: The path is a folder.
        TypeError: It is given no result.
    """
    check_is_result(result, "report")
    path = Path(path)
    if path.is_dir():
        raise StoreError(f"{path} is a folder; give the report a name, such as {path / 'report.html'}")
    page = render_report(result, lang=lang, distribution=distribution, rate_choice=rate_choice)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def render_report(
    result: "Result",
    *,
    lang: str = "en",
    distribution: "PredictiveDistribution | None" = None,
    rate_choice: "RateChoice | None" = None,
) -> str:
    """Return the page as text; equal results give equal pages.

    Args:
        result: The result.
        lang: Language of the page, `"en"` or `"zh"`.
        distribution: Predictive distribution of the cases to be shown.
        rate_choice: Choice of the rate of dropout at inference to be shown.

    Raises:
        UnknownNameError: The report does not speak the language.
    """
    language = language_for(result, lang)
    material = Material(result, language, distribution, rate_choice)
    sections = [section for build in SECTIONS if (section := build(material)) is not None]
    environment = Environment(
        loader=PackageLoader("gengap.reporting", "page"),
        autoescape=True,  # names of variants and labels are free text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_TEMPLATES,
    )
    environment.globals.update(t=language, version=__version__)
    environment.filters.update(breakable=_breakable, coded=_coded)
    script = _page_file("report.js")
    return environment.get_template("report.html").render(
        title=_title(material),
        lead=_lead(material),
        synthetic=bool((result.manifest.get("data") or {}).get("synthetic")),
        sections=sections,
        style=_page_file("report.css"),
        script=script,
        script_hash=_hash(script),
        lang=language.code,
    )


def findings(result: "Result", *, lang: str = "en") -> tuple[str, ...]:
    """Return the sentences that the page begins with, the most useful first.

    Args:
        result: The result.
        lang: Their language, `"en"` or `"zh"`.

    Raises:
        UnknownNameError: The report does not speak the language.
    """
    return tuple(said.text for said in sentences(Material(result, language_for(result, lang))))


def language_for(result: "Result", lang: str) -> Language:
    """Return a language that says of a result for which training sets its statements hold.

    Raises:
        UnknownNameError: The report does not speak it.
    """
    language = get_language(lang)
    if resampling_of(result) is None:
        return language
    curves = given_message(result, new_cases=False)
    return replace(language, given=given_message(result), given_curves=curves)


def _title(material: Material) -> str:
    result, text = material.result, material.language
    counts = {"variants": len(result.variants), "seeds": len(result.seeds)}
    sizes = text("page.headline", **{what: text.count(what, number) for what, number in counts.items()})
    name = (result.manifest.get("data") or {}).get("name")
    return f"{name}: {sizes}" if name else sizes[0].upper() + sizes[1:]


def _lead(material: Material) -> str:
    result, text = material.result, material.language
    about = result.manifest.get("data") or {}
    cases = [
        text("page.cases", n=f"{about[f'n_{part}']:,}", part=text(f"part.{part}"))
        for part in ("train", "validation", "test")
        if about.get(f"n_{part}")
    ]
    said = (text(f"task.{result.task}"), text("page.compared", score=text.name_of("score", result.score)), *cases)
    return " · ".join(said)


def _breakable(text: str) -> Markup:
    """Let a long name of a variant end its line where its parts meet, and keep an interval on one line."""
    whole = re.sub(r"\[[^\[\]<>]*\]", lambda found: found[0].replace(" ", "\u00a0"), str(escape(text)))
    return Markup(re.sub(r"([+/])(?=[^\W\d])", r"\1<wbr>", whole))  # noqa: S704  escaped first


def _coded(text: str) -> Markup:
    """Set what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped first


def _page_file(name: str) -> str:
    return resources.files("gengap.reporting").joinpath("page", name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """The one script that the page's security policy lets run; text that slipped through as a script would not."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
