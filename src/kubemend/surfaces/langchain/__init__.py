"""The tools for LangChain and LangGraph. `kubemend.langchain` is the face of it."""
