"""The data plane: online predictions, in a process of its own apart from the API.

It imports no model library, no web framework and no database: it parses HTTP, checks the input
against the signature, asks a model's worker, logs, and answers.
"""
