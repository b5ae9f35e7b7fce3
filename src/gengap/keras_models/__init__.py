"""The one room that opens Keras' private parts: graph, anatomy, clone, compile state, weights, noise."""
