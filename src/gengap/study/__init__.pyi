from .declaration import Study as Study
