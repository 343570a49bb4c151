"""The interactive session: commands, completion, prompt."""
