"""Studies of studies, and ready-made ones."""
