"""The gatekeeper: proves understudies on live calls, after the agents have their answers, and says who may answer.

    arrivals ── Intake ──> what a call tells at once (served, failed, slow), and trials to come
    trials ─── Trier ───> asks the understudy (shadow) or the LLM (audit), compares: a pair
    pairs ──── Ledger ──> evidence after it, and the move that it calls for       (router.gate decides)
    deployments ── Publisher ──> published.json, signed: what workers and head servers go by
               └── Placement ──> adapters loaded where they are needed

The database is the queue: what a call told and the trials it led to are stored with the position up to which arrivals
were read, a pair with the evidence after it and the end of its trial. So a killed gatekeeper doubles and loses nothing.
One process of all hosts tries (a lease), every host publishes. Whatever is away, down or refused is waited for and told.
"""
