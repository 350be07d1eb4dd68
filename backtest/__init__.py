"""What other rules would have done to the calls in the log. No model is called.

    requests    a request as far as rules, limits and the recogniser look at it, from the parts in the log
    logged      a stored call as the router would see it again
    cells       what is counted: calls of one kind that both sets of rules decide alike
    experience  what is known of small models: how often they answered, how well, how fast
    replay      the pass over the log, or a stretch of it
    spread      the same by several processes
    report      both sides added up: replacement, agreement, cost, latency, which calls move

The log holds every request whole, but rules look at little of it: the instructions, what the user said first and last,
the parameters. Only those parts are opened, everything that repeats is read once, and calls that both sets of rules
decide alike are counted together. So a million calls take minutes less than reading them would.
"""
