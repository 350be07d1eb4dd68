"""Classification heads: understudies for tasks whose answers come from a small closed set, served on the CPU.

    head_file   what conversion writes and this package reads: JSON and numpy arrays, nothing that runs
    head        text -> answer and confidence: a linear classifier, and how far the text is from what it learned
    shelf       the heads that are deployed now, read from the published file, changed without a restart
    desk        requests wait here for the one thread that computes, and are taken together
    app         the OpenAI-compatible server over them

Only numpy is needed, unless a head was trained on the transformer; then torch is loaded with that head.
"""
