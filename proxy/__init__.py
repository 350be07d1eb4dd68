"""HTTP in, HTTP out: decide, send, relay, record.

    agent ──> data_protocol ──> forward ──> transport ──> upstream LLM
                                  │  │                └──> engine (vLLM, heads), falling back to upstream
                                  │  └── journal (one append per call)
                                  └── router.decide (pure)

`app` composes the server; `forward` tells a call's whole story; each concern has one file beside it. FastAPI serves the
control pages (`control/`); the data path takes its requests from uvicorn's parser, because nothing may buffer between the
two sockets.
Any fault in our own cleverness means upstream: the proxy fails open.
"""
