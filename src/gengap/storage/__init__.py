"""The crash-safe store of a study: a folder that survives `kill -9`, a full disk and two writers."""

from gengap.storage.continuation import begin_or_continue, check_same_study, with_look
from gengap.storage.interruption import interruptible
from gengap.storage.listener import StoreListener
from gengap.storage.store import Progress, Store

__all__ = [
    "Progress",
    "Store",
    "StoreListener",
    "begin_or_continue",
    "check_same_study",
    "interruptible",
    "with_look",
]
