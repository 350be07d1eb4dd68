"""The vLLM engine, seen from outside: it is a server of its own, in an environment of its own.

`launch` writes its command line and `process` runs it; `client` speaks to one server, whether started here or found at
a URL; `placement` keeps the right adapters on every server of an engine; `load` reads its metrics. Nothing here
imports vLLM, and nothing raises what the HTTP library raises: see `errors`.
"""
