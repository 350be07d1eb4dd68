"""Fine-tuning (paper, S5): a generative understudy is a base model with a LoRA adapter, or all of its weights anew.

`base_model` is what may be tuned, and who serves it. `rendering` makes tokens of a call by the base's own chat
template, and `template` compares them with those that vLLM makes; `training_set` gathers them, `training` runs TRL on
them, and `served` asks what came out through vLLM, `local` where no server is at hand. `candidate` puts these behind the
conversion's seam.
"""
