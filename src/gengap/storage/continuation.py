"""Whether a study on disk is the one that wants to continue it, and what the two together are."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from gengap.engine.runs import TrainingSettings
from gengap.errors import StudyChangedError
from gengap.storage.ledger import now
from gengap.storage.store import Store

Manifest = Mapping[str, Any]

_DEFAULTS = {field.name: field.default for field in fields(TrainingSettings) if field.default is not MISSING}
_FIXED = ("task", "score", "primary", "engine", "settings", "resampling", "preprocess")
_OF_VARIANT = ("model", "share", "stopping")
_MISSING = object()


def begin_or_continue(folder: str | Path, manifest: Manifest) -> Store:
    """Open the store of a study for writing: a new one, or one that holds the same study so far.

    Seeds and variants that are new to the store are entered in its manifest; its plan and its looks stand.

    Args:
        folder: Where the study lies or shall lie.
        manifest: What the study is, as `docs/architecture.md` describes it.

    Raises:
        StudyChangedError: The store holds another study; the sentence names the first difference.
        StoreError: The folder cannot be used; see `Store.create` and `Store.open`.
    """
    if not Store.exists(folder):
        return Store.create(folder, manifest)
    store = Store.open(folder, mode="w")
    try:
        stored = store.manifest
        check_same_study(stored, manifest)
        store.update_manifest(joined(stored, manifest))
    except BaseException:
        store.close()
        raise
    return store


def check_same_study(stored: Manifest, new: Manifest) -> None:
    """Check that a new study may add its runs to a stored one.

    Task, score, settings, the data's fingerprint and the definition of every variant that both name must agree. New
    seeds and new variants may come; fewer of either are no difference. Names of layers do not count: the same code run
    twice in one session gives other ones (`dense_7`).

    Raises:
        StudyChangedError: They differ; the sentence says where, and what to do.
    """
    stored, new = _as_json(stored), _as_json(new)
    for manifest in (stored, new):  # memory decides about these, and they change no number
        for name in ("keep_every_epoch", "frozen_memory"):
            manifest.get("settings", {}).pop(name, None)
    known, own = stored.get("settings", {}), new.get("settings", {})
    for name, default in _DEFAULTS.items():
        if name not in known and name in own and own[name] == default:
            del own[name]  # a setting that came later is what it was before it could be set
    pairs = [(name, stored.get(name), new.get(name)) for name in _FIXED]
    pairs.append(("the data's fingerprint", _fingerprint(stored), _fingerprint(new)))
    for name in (name for name in stored.get("variants", {}) if name in new.get("variants", {})):
        old, now_ = stored["variants"][name], new["variants"][name]
        pairs += [(f"{part} of variant {name!r}", _canonical(old.get(part)), _canonical(now_.get(part)))
                  for part in _OF_VARIANT]  # fmt: skip
        if "held_weights" in old and "held_weights" in now_:  # older versions did not note them
            what = f"the digest of the weights that variant {name!r} brings along"
            pairs.append((what, old["held_weights"], now_["held_weights"]))
    for what, old, now_ in pairs:
        for path, before, after in _differences(old, now_):
            raise StudyChangedError(
                f"the store holds another study: {what}{path} is {_shown(before)} there and {_shown(after)} now; "
                "undo the change, or choose another folder for the changed study"
            )


def joined(stored: Manifest, new: Manifest) -> dict[str, Any]:
    """Return the manifest of a stored study with the seeds and variants that a new one adds."""
    seeds = [*stored.get("seeds", []), *(s for s in new.get("seeds", []) if s not in stored.get("seeds", []))]
    variants = {**new.get("variants", {}), **stored.get("variants", {})}
    ordered = {name: variants[name] for name in dict.fromkeys([*stored.get("variants", {}), *variants])}
    return {**new, **stored, "seeds": seeds, "variants": ordered}


def with_look(manifest: Manifest, seeds: int) -> dict[str, Any]:
    """Return the manifest with one more look at the study's results recorded.

    Looking again at the same number of seeds is the same look: nothing could have changed.

    Args:
        manifest: The manifest so far.
        seeds: How many seeds the results had that were looked at.
    """
    looks = list(manifest.get("looks", []))
    if not looks or looks[-1]["seeds"] != seeds:
        looks.append({"seeds": seeds, "time": now()})
    return {**manifest, "looks": looks}


def _fingerprint(manifest: Manifest) -> object:
    return manifest.get("data", {}).get("fingerprint")


def _as_json(manifest: Manifest) -> dict[str, Any]:
    """Return a manifest as it would come back from disk, where tuples are lists and keys are text."""
    value: dict[str, Any] = json.loads(json.dumps(manifest))
    return value


def _canonical(config: object) -> object:
    """Return a Keras config whose names are numbers in the order of their appearance.

    Keras counts names through a session (`dense_7`), and remedies derive names from those (`dense_7_dropout`); no
    number that is trained depends on a name.
    """
    return _renamed(config, {name: f"#{number}" for number, name in enumerate(dict.fromkeys(_names(config)))})


def _names(config: object) -> Iterator[str]:
    if isinstance(config, Mapping):
        inner = config.get("config")
        if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
            yield inner["name"]
        for value in config.values():
            yield from _names(value)
    elif isinstance(config, list):
        for value in config:
            yield from _names(value)


def _renamed(config: object, names: Mapping[str, str]) -> object:
    if isinstance(config, Mapping):
        kept = {key: value for key, value in config.items() if key != "shared_object_id"}
        return {names.get(key, key): _renamed(value, names) for key, value in kept.items()}
    if isinstance(config, list):
        return [_renamed(value, names) for value in config]
    return names.get(config, config) if isinstance(config, str) else config


def _differences(old: object, new: object, path: str = "") -> Iterator[tuple[str, object, object]]:
    """Yield the places where two JSON values differ, as paths, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(old.get(key, _MISSING), new.get(key, _MISSING), f"{path}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _differences(*pair, f"{path}[{index}]")
    elif old != new and not (_is_nan(old) and _is_nan(new)):
        yield path, old, new


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and value != value  # noqa: PLR0124  NaN is the one value that differs from itself


def _shown(value: object) -> str:
    if value is _MISSING:
        return "absent"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
