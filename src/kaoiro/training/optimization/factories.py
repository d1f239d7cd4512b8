"""What a configuration asks for when it names a class: the optimiser or schedule that is made once the run is known.

The parser turns `class_path` and `init_args` into a `functools.partial`; here it is read again.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any


def made_class(factory: Callable[..., object]) -> type | None:
    """The class of what the factory makes; None for a function, which does not tell."""
    parts = (factory.func, *factory.args) if isinstance(factory, functools.partial) else (factory,)
    return next((part for part in parts if isinstance(part, type)), None)


def given_arguments(factory: Callable[..., object]) -> dict[str, Any]:
    """The keyword arguments that the factory will pass on."""
    return dict(factory.keywords) if isinstance(factory, functools.partial) else {}


def spelled(factory: Callable[..., object]) -> str:
    """The factory in words, with the arguments that differ from the class's own defaults.

    Examples:
        >>> import functools, torch
        >>> spelled(functools.partial(torch.optim.SGD, lr=0.1, momentum=0))
        'torch.optim.sgd.SGD(lr=0.1)'
    """
    made = made_class(factory)
    if made is None:
        return getattr(factory, "__qualname__", type(factory).__qualname__)
    defaults = {name: parameter.default for name, parameter in inspect.signature(made).parameters.items()}
    arguments = [f"{name}={value!r}" for name, value in given_arguments(factory).items() if value != defaults.get(name)]
    return f"{made.__module__}.{made.__qualname__}({', '.join(arguments)})"
