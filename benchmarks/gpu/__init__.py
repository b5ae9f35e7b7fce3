"""What a GPU gains: many nets together by gengap, beside Keras' own loop one after another, on the same card.

    python -m benchmarks.gpu [--seconds 330] [--tiny] [--output FILE]

One script for a short visit on a machine with a card: first the tests that need one (`pytest -m cuda`), then the
races, each contestant in a process of its own, what matters most first; results are written after each, so that a
visit cut short leaves what it had. Without a card it runs at tiny sizes on the CPU and writes nothing unless it is
told where. `make gpu-wheels` fetches what a machine lacks that cannot fetch by itself.
"""
