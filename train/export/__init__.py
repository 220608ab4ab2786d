"""The trained networks as ONNX files."""
