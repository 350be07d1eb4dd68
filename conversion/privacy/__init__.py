"""What concerns people is taken out before anything is learned, without taking the meaning with it.

    text ── recognisers ──> places of values ── pseudonyms ──> ⟪email·3f2a91c0d4e5·ⓐⓐⓐ@ⓐⓐⓐⓐ.ⓐⓐ⟫   (what data sets keep)
    pseudonym ── surrogates ──> mira@lobu.io                                                     (what is trained on)

A pseudonym is made with a key of the data set: the same value has the same pseudonym in prompt, arguments and answer,
whatever its case and spacing, and nobody without the key can test a guess. A surrogate has the shape of the value, so
that models learn to copy and not to remember: a card number still passes its check, JSON stays JSON, and recognition
sees the same prompt as before. Identifiers that an answer copies from its prompt are replaced in the same way.
Values that many sessions share (an address of the shop itself) are kept: they belong to the application.
"""
