print("package begins", __name__, __file__)
from . import inner  # noqa: E402

print("package ends", inner.VALUE)
