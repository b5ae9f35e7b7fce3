from .predict import predict_distribution as predict_distribution
from .rate_choice import choose_rate as choose_rate
