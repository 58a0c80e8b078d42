"""The claims of the paper, and the verdict on each by what was measured."""
