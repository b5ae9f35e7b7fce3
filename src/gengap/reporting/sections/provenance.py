"""Provenance of the result, and the command to reproduce it."""

import json
from collections.abc import Mapping
from typing import Any

from gengap.reporting.material import Material
from gengap.reporting.section import Section


def provenance_section(material: Material) -> Section:
    """Show the account that the study wrote before it ran."""
    manifest = material.result.manifest
    ours = manifest.get("engine") != "other"
    known = {name: str(manifest[name]) for name in ("created", "engine", "backend") if ours and manifest.get(name)}
    if "created" in known:
        known["created"] = known["created"].replace("T", " ").replace("+00:00", " UTC")
    return Section(
        "provenance",
        {
            "ours": ours,
            "command": str(manifest.get("command") or ""),
            "facts": known,
            "groups": {
                name: _plain(manifest[name])
                for name in ("settings", "data", "versions", "machine")
                if isinstance(manifest.get(name), Mapping) and manifest[name]
            },
            "models": _models(manifest),
        },
    )


def _plain(values: Mapping[str, Any]) -> dict[str, str]:
    """Write values on one line each; what holds nothing is left out, the audit has its own section."""
    return {name: _line(value) for name, value in values.items() if value not in (None, "", [], {}) and name != "audit"}


def _line(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_brief(value), ensure_ascii=False)


def _brief(value: Any) -> Any:
    """Shorten numbers to what says something: nobody reads sixteen digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return [_brief(one) for one in value] if isinstance(value, list) else value


def _models(manifest: Mapping[str, Any]) -> list[dict[str, str]]:
    variants: Mapping[str, Mapping[str, Any]] = manifest.get("variants") or {}
    return [
        {"name": name, "remedy": str(about.get("remedy") or ""), "summary": str(about["summary"])}
        for name, about in variants.items()
        if about.get("summary")
    ]
