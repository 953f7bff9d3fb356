"""Whatever answers queries: a local model, an ONNX file, a server, a recorded log."""
