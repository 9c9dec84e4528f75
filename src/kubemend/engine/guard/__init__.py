"""The one gate through which every write to a cluster goes."""
