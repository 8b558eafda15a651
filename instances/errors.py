"""The errors of this package, for bad input. Every message is one line: the file, what is wrong, and what to do.

InputError
├── DataError        a data set is missing or broken: get it again, or point --data at its folder
├── DeviceError      the device does not exist, or failed: name another
├── SuiteError       a suite file or name is wrong: correct the TOML
├── NetworkError     an ONNX file is unreadable or not supported: export it in another way
├── ModelError       an MPS file is unreadable or outside the portable subset: generate it again
├── ProofError       a proof is unreadable, or shows something else than it claims: make it again
├── PropertyError    a property file or a candidate does not fit: correct it
└── LibraryError     a library is incomplete, altered or cannot be written: generate it again
    └── NameInUseError   it has something else under a name: give another name
"""

from vnnbench.common.text import message_line


class InputError(Exception):
    """An error that the user can correct; the message is one printable line, whatever it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(message_line(message))


class DataError(InputError):
    """A data set is missing, truncated or not the one that it claims to be."""


class DeviceError(InputError):
    """The device to compute on does not exist, or failed."""


class SuiteError(InputError):
    """A suite is unknown, or its TOML has an unknown key, a wrong type or an impossible value."""


class NetworkError(InputError):
    """An ONNX file cannot be read, or holds an operator or type that is not supported."""


class ModelError(InputError):
    """An MPS file cannot be read, or uses what the portable subset excludes."""


class PropertyError(InputError):
    """A property, a solution or a candidate cannot be read or does not fit the network."""


class ProofError(InputError):
    """A proof cannot be read, or is about another problem."""


class LibraryError(InputError):
    """A library is incomplete, its checksums fail, or its folder cannot be written."""


class NameInUseError(LibraryError):
    """A library has another instance or file of the same name."""
