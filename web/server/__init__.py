"""The server around the page: options, middleware, health, request queue, log, shutdown."""
