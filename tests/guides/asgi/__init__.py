"""The project of `docs/guides/asgi.md`: async views and a consumer of Channels."""
