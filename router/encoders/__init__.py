"""Encoders that need numpy alone, for processes that must start light.

    hashed_ngrams   no weights at all: words and pieces of words, hashed
    static          one vector a token, distilled from a sentence-transformers model

The transformer they are measured against is `serving.encoders.teacher`.
"""
