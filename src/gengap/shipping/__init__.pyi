from .card import ModelCard as ModelCard
from .card import ShownScore as ShownScore
from .rows import RowForecasts as RowForecasts
from .rows import predict_rows as predict_rows
from .shipped import Shipped as Shipped
from .shipped import ship as ship
