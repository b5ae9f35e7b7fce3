from .live import LiveMLflow as LiveMLflow
from .live import LiveWandb as LiveWandb
from .mlflow_runs import to_mlflow as to_mlflow
from .tables import write_tables as write_tables
from .tensorboard_events import to_tensorboard as to_tensorboard
from .wandb_runs import to_wandb as to_wandb
