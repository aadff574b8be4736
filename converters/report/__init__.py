"""What is in a bundle, what it costs and how near to float32 it decodes: `jpegai-convert report`."""
