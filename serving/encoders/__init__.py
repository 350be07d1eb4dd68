"""Encoders that heads are trained on, a ladder behind the seam `router.encoder.Encoder`.

    hashed n-grams   router.encoders.hashed_ngrams   always there
    static student   router.encoders.static          once `understudy convert` has distilled it
    teacher          serving.encoders.teacher        with the extra `convert`; the only one that imports torch

`ladder` says which rung is the best that is installed, and loads the one that a head was trained with.
"""
