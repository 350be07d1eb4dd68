"""Task clustering (paper, S3): which calls of the log do the same job, and a recogniser that knows them again.

    observation   a call with its fingerprint
    group         calls of one agent that ask for one form of answer: exact keys, joined where prompts are near
    answers       what a group's answers are: label, JSON, tool call or text, and whether their set is closed
    splitting     a broad prompt's sub-tasks, where the actions differ and the human's text tells which
    naming        readable ids;  stability: the same ids as last time, by Hungarian matching on members
    cluster       all of it, and the recogniser

Groups are formed on prompts and actions; a call is assigned by the recogniser, which sees the request alone.
"""
