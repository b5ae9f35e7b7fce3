"""Event files of TensorBoard, written as epochs end or afterwards."""

import time
from collections.abc import Mapping
from pathlib import Path

from gengap.errors import need
from gengap.naming import name_apart


class Events:
    """Scalars in one folder, which TensorBoard shows as one run.

    Args:
        folder: The folder; it is made.

    Raises:
        MissingExtraError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        require_tensorboard()
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(folder))

    def add(self, values: Mapping[str, float], step: int) -> None:
        """Write scalars of one step."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        entries = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=Summary(value=entries)))

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def require_tensorboard() -> None:
    """Check that TensorBoard is there.

    Raises:
        MissingExtraError: It is not.
    """
    need("tensorboard", "TensorBoard's files need TensorBoard: pip install 'gengap[tensorboard]'.")


def folder_of(name: str, known: dict[str, str]) -> str:
    """Return the folder of a name, which is safe, and no other name's; numbered where it would be.

    Args:
        name: The name.
        known: Folders of other names, by name; this one is added.

    Example:
        >>> folders = {}
        >>> [folder_of(name, folders) for name in ("dropout(0.5)+l2(0.01)", "two layers", "two_layers", "two layers")]
        ['dropout_0.5_+l2_0.01_', 'two_layers', 'two_layers-2', 'two_layers']
    """
    return name_apart(name, known, kept=r"\w.+\-")
