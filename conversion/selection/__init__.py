"""Which small models to try for a task, and which of them to keep (paper S4).

    catalogue   candidate models: a YAML file of the project's, and the owner's own beside it
    needs       what the calls of one task ask of a model
    constraints which models cannot serve the task at all, each with its reasons
    prompted    candidates that are not trained: the bare model, and the model with examples in its prompt
    trials      every candidate on the same held-out calls; ranked by certified agreement per dollar

Nothing here decides by reputation: the catalogue only says what can be tried, and the held-out calls decide.
"""
