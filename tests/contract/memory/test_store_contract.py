"""Every contract test of the store, collected from where they are; see `conftest.py` for the engine."""

import pkgutil
from importlib import import_module

from _pytest.fixtures import FixtureFunctionDefinition

from tests.contract import store as contract

for _module in pkgutil.iter_modules(contract.__path__):
    if _module.name.startswith("test_"):
        for _name, _value in vars(import_module(f"{contract.__name__}.{_module.name}")).items():
            if isinstance(_value, FixtureFunctionDefinition):
                globals()[_name] = _value
            elif _name.startswith("test_"):
                globals()[f"test_{_module.name.removeprefix('test_')}_{_name.removeprefix('test_')}"] = _value
