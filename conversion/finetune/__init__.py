"""Fine-tuning (paper, S5): a generative understudy is a base model with a LoRA adapter, or all of its weights anew.

`base_model` is what may be tuned, and who serves it. `rendering` makes tokens of a call by the base's own chat
template, as vLLM will; `training_set` gathers them, `training` runs TRL on them, and `answers` asks what came out, through
vLLM where one is at hand. `candidate` puts these behind the conversion's seam. Only `training` and `local` import torch.
"""
