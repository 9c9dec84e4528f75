"""Tools that judge how safe the cluster is set up."""
