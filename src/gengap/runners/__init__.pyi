from .base import Engine as Engine
from .base import Planner as Planner
from .base import Runner as Runner
from .local import LocalRunner as LocalRunner
from .ray import RayRunner as RayRunner
