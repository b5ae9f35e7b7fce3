from gengap.runners.base import Runner as Runner
from gengap.runners.local import LocalRunner as LocalRunner
from gengap.runners.ray import RayRunner as RayRunner
