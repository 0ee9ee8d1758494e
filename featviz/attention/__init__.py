"""Attention: from the input of an attention module to its pre-softmax logits."""
