"""The decision: which model answers this call. Pure: values in, a Decision out; no I/O, no framework, no clock.

    Query ── Reading (a lazy view, each field read once)
               ├── When: the conditions of the owner's rules, cheapest first; the first rule that matches decides
               ├── limits: what an understudy cannot answer goes upstream
               ├── share: a stable share of sessions
               └── Learned: proposals of the learned router, where the route is auto; LearnedRouter puts together
                   a Recogniser (which task is this?) and what the gate lets answer
    RuleRouter puts them together; explain tells how it came to a decision.

Unknown always goes upstream.
"""
