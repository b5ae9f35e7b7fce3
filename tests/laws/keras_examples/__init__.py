"""Small models in the manner of Keras' own examples, rebuilt in our words."""

from keras_examples.sequences import EXAMPLES as SEQUENCES
from keras_examples.structured import EXAMPLES as STRUCTURED
from keras_examples.vision import EXAMPLES as VISION

EXAMPLES = STRUCTURED | SEQUENCES | VISION
