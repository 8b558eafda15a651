"""Names of the files that the attack reads beside its model."""

from __future__ import annotations

NETWORK_NAME = "network.onnx"
PROPERTY_NAME = "property.json"
"""The instance's own network, and its problem's property, in the folder of the attack's model."""
