from .continuation import begin_or_continue as begin_or_continue
from .continuation import check_same_study as check_same_study
from .continuation import with_look as with_look
from .interruption import interruptible as interruptible
from .listener import StoreListener as StoreListener
from .store import Progress as Progress
from .store import Store as Store
