"""Waste and cost, and how well workloads stand up to the loss of a pod, a node or a zone."""
