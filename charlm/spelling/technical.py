"""Words of computing that books do not have: none of them is a misspelling of another word."""

from __future__ import annotations

_WORDS = """
api apis args argv ascii async attr attrs autocomplete await backend backends backtick backticks
bash benchmark benchmarks bigram bigrams bool boolean callback callbacks changelog charlm charset
checkbox checksum checksums chmod cli codebase codec codecs config configs coroutine coroutines
cpu cpus cron css csv cuda dataset datasets debian decoder dev devs dict dicts diff diffs dns
docker dockerfile docstring docstrings dropdown dropout dtype dtypes emacs embeddings encoder enum
env eof filename filenames formatter formatters frontend getter git github gitignore gitlab gpu
gpus grep gui hashmap hostname html http https id ids init inode iterator iterators javascript
json kubernetes kwargs latex lexer lib libs linter linters linux localhost login logins logits
lookup lookups macos makefile malloc markdown metadata mutex mypy mysql namespace namespaces
newline newlines nginx npm numba numpy optimizer optimizers param params parser parsers pathname
pdf perl perplexities perplexity pip plugin plugins posix postgres preprocess pytest python
pytorch readme redis regex regexes repl repo repos rsync runtime runtimes scp sdk setter softmax
sqlite ssh stderr stdin stdlib stdout struct structs subclass subclasses subcommand subfolder
subprocess substring substrings subword subwords sudo svg symlink symlinks syntax timestamp
timestamps tmux tokenize tokenized tokenizer tokenizers toml torch tuple tuples typescript ubuntu
unicode unigram unigrams unix url urls username usernames utf venv vim webpack whitespace wiki
workflow workflows xml yaml zip zsh
"""

TECHNICAL = frozenset(_WORDS.split())
