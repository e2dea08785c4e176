"""Where settings find it: `MIDDLEWARE = ["pindb.middleware.PinDbMiddleware", ...]`."""

from pindb.web.middleware import PinDbMiddleware

__all__ = ["PinDbMiddleware"]
