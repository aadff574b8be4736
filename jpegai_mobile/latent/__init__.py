"""Integer rules on the latents: everything between decoded symbols and the networks that is exact."""
