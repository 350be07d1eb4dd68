"""A stand-in for the paid API: an OpenAI-compatible server for demos, tests and benchmarks.

    bytes ─> faults ─> app ─> endpoint (body -> Prompt) ─> brain (Prompt -> Answer) ─> endpoint (Answer -> bytes)
                              serving.endpoints, which our own head server speaks too

It speaks the wire format of the real thing and thinks nothing: a `Brain` is a function from a `Prompt` to an `Answer`.
`support_desk` plays the model of a support-desk agent from what the request says alone; `trace` answers recorded
requests with their recorded responses; `small_model` wraps either and gets some answers wrong.
`faults` wraps the app and breaks its responses on request, down to real TCP resets; `server` is the uvicorn that lets
it. Every response says `server: understudy-simulator`.
"""
