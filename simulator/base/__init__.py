"""A small language model made on the spot: what stands in for a downloaded base model where no hub can be reached.

`corpus` writes made-up chats about made-up letters to a shop: fields to fill in, tools to call, answers to draft, each
in many forms. None of its prompts, schemas, tools or wordings is the demo agent's: those are left for the adapters to
learn from the log. `tokenizer` and `chat_template.jinja` say how a chat becomes tokens, `training` makes the weights,
and `recipe` names all of it by a digest, so that a trained base is found again in a cache. The result is a folder in
the usual layout, which transformers, PEFT and vLLM load like any other model.
"""
