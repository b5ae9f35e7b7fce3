from .classifier import StudyClassifier as StudyClassifier
from .regressor import StudyRegressor as StudyRegressor
