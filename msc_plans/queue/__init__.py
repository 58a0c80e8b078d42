"""The RE Manager, the agent that feeds it, and access to both over HTTP."""
