"""What can be wrong with the input of this package. Every message is one line: the file, what is wrong, what is right.

InputError
├── DataError        a data set is missing or broken: get it again, or point --data at its folder
├── DeviceError      there is no such device: name another
├── SuiteError       a suite file or name is wrong: correct the TOML
├── NetworkError     an ONNX file is unreadable or holds what is not supported: export it otherwise
├── ModelError       an MPS file is unreadable or outside the portable subset: generate it again
├── PropertyError    a property file or a candidate does not fit: correct it
└── LibraryError     a library is incomplete, altered or cannot be written: generate it again
"""

from vnnbench.common.text import message_line


class InputError(Exception):
    """Something the user can mend; the message is one line that can be printed, whatever is quoted in it."""

    def __init__(self, message: str) -> None:
        super().__init__(message_line(message))


class DataError(InputError):
    """A data set is missing, truncated or not what it claims to be."""


class DeviceError(InputError):
    """The device to train on is not there."""


class SuiteError(InputError):
    """A suite is unknown, or its TOML has an unknown key, a wrong type or an impossible value."""


class NetworkError(InputError):
    """An ONNX file cannot be read, or holds an operator or type that is not supported."""


class ModelError(InputError):
    """An MPS file cannot be read, or uses what the portable subset excludes."""


class PropertyError(InputError):
    """A property, a solution or a candidate cannot be read or does not fit the network."""


class LibraryError(InputError):
    """A library is incomplete, its checksums fail, or its folder cannot be written."""
