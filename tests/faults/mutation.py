"""Files made wrong on purpose: bytes, JSON values and tensor headers changed, by a seed."""

import copy
import json
import random

TOKENS = (
    b"",
    b"\0",
    b"\xff",
    b"\x80\x04",
    b"PK\x03\x04",
    b"\x1b[31m",
    b"\xed\xa0\x80",  # half a surrogate pair
    b"\xe2\x80\xae",  # right to left
    b'"',
    b"\\",
    b"\\ud800",
    b"{",
    b"}",
    b"[" * 200,
    b",",
    b":",
    b"null",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"-1",
    b"9" * 30,
    b"9" * 5000,
    b"99999999999",
    b"\n",
    b"\r\n",
    b"\t",
    b"../../etc/passwd",
    b"\\data\\",
    b"ngram 1=999999999999",
    b"<s>",
    b"</s>",
)
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    3.5,
    -0.0,
    1e308,
    2**31,
    2**53,
    2**63,
    10**30,
    "",
    "x",
    "\0",
    "\x1b[31m",
    "../x",
    "/etc/passwd",
    "a" * 5000,
    [],
    {},
    [[]],
    {"a": 1},
    [0] * 100,
)


def mutated(seed, rng):
    """Return bytes with one to four changes: flips, cuts, repetitions, insertions."""
    data = bytearray(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place = rng.randrange(len(data) + 1)
        span = min(rng.choice((1, 1, 2, 4, 8, 64, 1000)), len(data) - place)
        kind = rng.randrange(7)
        if kind == 0 and place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and place < len(data):
            data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif kind == 2:
            del data[place : place + span]
        elif kind == 3:
            data[place:place] = data[place : place + span] * rng.choice((1, 2, 10))
        elif kind == 4:
            data[place:place] = rng.choice(TOKENS)
        elif kind == 5:
            data[place : place + span] = rng.choice(TOKENS)
        elif rng.randrange(4) == 0:
            del data[place:]
        else:
            other = rng.randrange(len(data) + 1)
            data[place : place + span] = data[other : other + span]
    return bytes(data)


def mutated_json(seed, rng):
    """Return JSON bytes in which one value or key was replaced, removed, repeated or added."""
    if rng.randrange(3) == 0:
        return mutated(seed, rng)
    document = json.loads(seed.decode("utf-8", "surrogatepass"))
    for _ in range(rng.choice((1, 1, 2))):
        document = _changed(document, rng)
    return json.dumps(document).encode()


def _value(rng):
    return copy.deepcopy(rng.choice(VALUES))  # it may be changed in turn


def _changed(document, rng):
    path, value = [], document
    while isinstance(value, dict | list) and value and (not path or rng.randrange(4)):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        path.append(rng.choice(keys))
        value = value[path[-1]]
    if not path:
        return _value(rng)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    kind = rng.randrange(5)
    if kind == 0:
        del holder[path[-1]]
    elif kind == 1 and isinstance(holder, dict):
        holder[str(_value(rng))[:20]] = holder[path[-1]]
    elif kind == 1:
        holder.append(_value(rng))
    elif kind == 2 and isinstance(value, int | float) and not isinstance(value, bool):
        holder[path[-1]] = value + rng.choice((-1, 1, -value, value, 0.5, 10**9))
    else:
        holder[path[-1]] = _value(rng)
    return document


def mutated_tensors(seed, rng):
    """Return a safetensors file with a wrong header, wrong numbers, or wrong bytes anywhere."""
    length = int.from_bytes(seed[:8], "little")
    header, numbers = seed[8 : 8 + length], seed[8 + length :]
    kind = rng.randrange(4)
    if kind == 0:
        return mutated(seed, rng)
    if kind == 1:
        return seed[: 8 + length] + _odd_numbers(numbers, rng)
    if kind == 2:
        return _joined(mutated_json(header, rng), numbers)
    return _joined(mutated(header, rng), numbers)


def _joined(header, numbers):
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + numbers


def _odd_numbers(numbers, rng):
    """Put NaN, infinities, huge and tiny numbers among float32 or int64 ones."""
    data = bytearray(numbers)
    odd = (b"\0\0\xc0\x7f", b"\0\0\x80\x7f", b"\xff\xff\x7f\x7f", b"\xff\xff\x7f\xff", b"\xff" * 4)
    for _ in range(rng.choice((1, 3, 50))):
        place = 4 * rng.randrange(max(len(data) // 4, 1))
        data[place : place + 4] = rng.choice((*odd, b"\0\0\0\0", rng.randbytes(4)))
    return bytes(data[: len(numbers)])


def cases(seed, how, count, start=0):
    """Yield numbers and mutated files; a number gives the same file always."""
    for number in range(start, start + count):
        yield number, how(seed, random.Random(number))
