"""ONNX files: from their nodes to exact layers and back, and ONNX Runtime as the deployed network.

They come after networks and before bounds; networks from elsewhere enter here.
"""
