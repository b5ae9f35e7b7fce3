"""How runs are trained: many Keras models as one program, or one after another in Keras' own loop."""
