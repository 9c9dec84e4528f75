"""What a node's stand-in is made of: processes that only pretend, probes that look at them, pods that hold them."""
