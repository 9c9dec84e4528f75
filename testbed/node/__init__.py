"""A real node: kubelet, containerd and runc on a real control plane, in namespaces of their own.

`python -m testbed.node` brings one up until Ctrl-C; `python -m testbed.node down` clears away what killed ones left.
"""
