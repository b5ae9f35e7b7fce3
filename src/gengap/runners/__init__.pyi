from .base import Runner as Runner
from .local import LocalRunner as LocalRunner
from .ray import RayRunner as RayRunner
