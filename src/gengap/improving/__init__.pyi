from .improvement import Improvement as Improvement
from .one_call import improve as improve
