"""The fault drill: what happens to a picture when the integer hyper scale decoder is replaced by a float one."""
