"""Names of the files that an adapter which reads no model, such as the attack, is given beside it."""

from __future__ import annotations

NETWORK_NAME = "network.onnx"
PROPERTY_NAME = "property.json"
"""The instance's own network, and its problem's property, in the folder of the model."""
