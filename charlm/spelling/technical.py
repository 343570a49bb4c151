"""Words of computing that books do not have: none of them is a misspelling of another word."""

from __future__ import annotations

_WORDS = """
api apis argv ascii async autocomplete backend backends backtick backticks bash bigram bigrams
bool boolean changelog charlm charset checkbox checksum checksums chmod cli codec codecs config
configs cpu cpus cron css csv cuda dataset datasets debian decoder dict dicts docker dockerfile
docstring docstrings dropdown dropout emacs embeddings encoder enum filename filenames formatter
formatters frontend getter git github gitignore gitlab gpu gpus grep gui hashmap hostname html
http https inode iterator iterators javascript json kubernetes latex lexer linter linters linux
localhost logits login logins macos makefile malloc markdown metadata mutex mysql namespace
namespaces newline newlines nginx npm numba numpy param params parser parsers pathname pdf perl
perplexity pip plugin plugins posix postgres preprocess pytest python pytorch readme redis regex
regexes repl repo repos rsync runtime runtimes scp sdk setter softmax sqlite ssh stderr stdin
stdlib stdout struct structs subcommand subfolder subprocess substring substrings subword
subwords sudo svg symlink symlinks syntax timestamp timestamps tmux tokenize tokenized tokenizer
tokenizers toml tuple tuples typescript ubuntu unicode unigram unigrams unix url urls username
usernames utf vim webpack whitespace wiki workflow workflows xml yaml zip zsh
"""

TECHNICAL = frozenset(_WORDS.split())
