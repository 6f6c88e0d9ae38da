"""Other tools, called from a program."""

import sys as _sys
import types as _types

from _sandbox import calls as _calls
from _sandbox.calls import ToolDenied, ToolError, ToolLimit, call

__all__ = list(_calls.OWN)


class _Module(_types.ModuleType):
    """Its functions are made from the tools that the operator has granted, when they are first asked for."""

    @property
    def __doc__(self) -> str:
        return _calls.summary()

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        function = _calls.functions().get(name)
        if function is None:
            raise AttributeError(f"no tool `{name}` may be called. {_calls.summary()}")
        return function

    def __dir__(self) -> list[str]:
        return [*__all__, *_calls.functions()]


_sys.modules[__name__].__class__ = _Module
