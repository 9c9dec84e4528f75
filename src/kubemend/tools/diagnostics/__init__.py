"""What is wrong with pods and nodes, one question a tool."""
