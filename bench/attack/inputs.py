"""The name of the attack, and the names of the files that an adapter gets which does not read the model."""

from __future__ import annotations

ATTACK = "pgd"
"""The name of the attack on the command line, where it is used like the name of a solver."""
NETWORK_NAME = "network.onnx"
PROPERTY_NAME = "property.json"
"""The files of the instance's own network and of its problem's property, in the folder of the model."""
