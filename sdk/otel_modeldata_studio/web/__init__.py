"""HTTP: routes, security headers, the token, server-sent events."""
