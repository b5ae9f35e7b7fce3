"""How long training takes: gengap beside the plain Keras loop on each backend and a torch loop written by hand.

    python -m benchmarks.training [--workloads imdb-16 storms-l2 ...] [--rivals keras-jax ...] [--quick] [--rounds 3]

Every contestant is a process of its own, so that its import, compilation and memory are its own; all get the same
arrays and give the same outputs (per epoch loss, accuracy and both on held-out cases). `setup_rivals.sh` builds the
rivals' environments. Results: `benchmarks/results/training.json`, and as a page `docs/performance_training.md`.
"""
