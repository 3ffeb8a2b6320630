"""What the two Qt apps share: theme, icons, live picture, view-models, work in the background."""

import ctypes
import sys

# PySide 6.12.0 is built as if None and True could not die, and returns them from every call without taking a
# reference. They can before CPython 3.12: an app ends with a fatal error after a while. So they get references enough.
if sys.implementation.name == "cpython" and sys.version_info < (3, 12):
    for _constant in (None, True, False):
        ctypes.c_ssize_t.from_address(id(_constant)).value += 1 << 60
