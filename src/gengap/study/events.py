"""Event files of TensorBoard, written as epochs end or afterwards."""

import re
import time
from collections.abc import Mapping
from pathlib import Path

from gengap.errors import MissingExtraError


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
    try:
        import tensorboard  # noqa: F401  asked for before anything is written
    except ImportError as reason:
        raise MissingExtraError("TensorBoard's files need TensorBoard: pip install 'gengap[tensorboard]'.") from reason


def folder_name(text: str) -> str:
    """Return a name that is safe as a folder's.

    Example:
        >>> folder_name("dropout(0.5)+l2(0.01)")
        'dropout_0.5_+l2_0.01_'
    """
    return re.sub(r"[^\w.+\-]", "_", text)
