"""The routable endpoints as a server speaks them: a body becomes a Prompt, an Answer becomes JSON or an event stream.

    bytes ─> validation ─> Endpoint.prompt (body -> Prompt) ─> whatever answers ─> Reply ─> Endpoint.whole | .events

One file for each endpoint; `dialect` holds what differs between OpenAI and vLLM, `exchange` is one request over ASGI.
The head server and the simulator both speak through it.
"""
