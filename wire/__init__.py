"""The OpenAI wire formats, as values: what the bytes of a call mean.

A leaf package: it imports nothing of ours and does no I/O. `sse` frames event streams across any chunk boundary,
`accumulate` rebuilds the final answer of a stream, `usage` sorts token counts into disjoint buckets, `shape` and
`answer` read requests and answers of any endpoint, `check` holds an answer to its request, `expression` searches for
patterns of others in bounded time, `splice` and `usage_splice`
change one thing and leave every other byte, `errors` writes the one error envelope that clients understand. The proxy
uses it on live bytes, the store on recorded ones, so that both read a call the same way.
"""
