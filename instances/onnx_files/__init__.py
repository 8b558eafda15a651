"""ONNX files: from their nodes to exact layers and back, and ONNX Runtime as the deployed network.

After networks, before bounds: what comes from elsewhere enters here.
"""
