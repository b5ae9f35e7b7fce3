from .demos import DEMOS as DEMOS
from .demos import Demo as Demo
from .demos import get_demo as get_demo
from .review_generator import reviews as reviews
from .reviews_retold import retell_reviews as retell_reviews
from .storm_generator import rotation_probability as rotation_probability
from .storm_generator import synthetic_storms as synthetic_storms
from .storms_retold import retell_storms as retell_storms
