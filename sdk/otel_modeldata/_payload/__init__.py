"""Payload logging for ASGI and WSGI servers."""
