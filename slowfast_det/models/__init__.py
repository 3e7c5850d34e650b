"""The networks. Plain values go in, never a configuration; logits come out.

Letters in every shape: B clips, K boxes, N actions, C channels, T frames, H W pixels.
"""
