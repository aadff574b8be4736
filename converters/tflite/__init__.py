"""Networks as TFLite flatbuffers, written directly: no TensorFlow."""
