"""The only room that knows a model: how to ask one, and what it answers.

`model.py` is the port (`Model`, what goes in and what streams out), `catalog.py`
finds the model for a name, `chat.py` speaks to any OpenAI-style
`/chat/completions`, `demo.py` is the built-in demo, and `tokens.py` estimates
sizes without a network. Whatever goes wrong leaves this room as a `ModelError`.
"""
