"""The name of the attack, and of the files that an adapter which reads no model is given beside it."""

from __future__ import annotations

ATTACK = "pgd"
"""The word on the command line, as of a solver."""
NETWORK_NAME = "network.onnx"
PROPERTY_NAME = "property.json"
"""The instance's own network, and its problem's property, in the folder of the model."""
