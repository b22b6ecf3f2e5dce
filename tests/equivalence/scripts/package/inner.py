"""Looks at its parent while that one is being imported."""

import sys

VALUE = "inner", sorted(name for name in vars(sys.modules[__package__]) if not name.startswith("__"))
