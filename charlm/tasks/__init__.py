"""One file a verb: plain arguments in, a frozen result or an iterator out; prints nothing."""
