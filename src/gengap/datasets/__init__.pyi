from .sars import soundings as soundings
from .split import Dataset as Dataset
from .split import Split as Split
from .split import Task as Task
