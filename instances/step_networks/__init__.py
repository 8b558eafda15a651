"""Networks of step functions: the problem of training one, its exact evaluation, repair and ONNX file.

They stand beside `networks`: there weights are given and inputs are sought, here it is the other way round.
"""
