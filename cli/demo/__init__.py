"""`understudy demo`: the whole loop on one machine, nothing paid for.

    traffic (OpenAI SDK) ── proxy ──┬── simulated LLM
                                    └── understudies: heads, and vLLM's adapters where it is there

`stage` starts the processes, `traffic` works tickets or replays recorded calls, `story` tells the acts (observe,
convert, prove, replace), `scoreboard` shows what the proxy says meanwhile, and `verdict` asks the LLM again what the
understudies answered, so that the agreement in the last line is counted, not estimated.
"""
