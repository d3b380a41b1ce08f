"""Messages as a broken producer, or somebody with intent, would send them."""


def torn(raw, rng):
    """Bytes changed, put in, taken out, or cut off."""
    value = bytearray(raw)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(value)))
        what = rng.integers(5)
        if what == 0:
            value[at] = int(rng.integers(256))
        elif what == 1:
            value[at] ^= 1 << int(rng.integers(8))
        elif what == 2:
            del value[at : at + int(rng.integers(1, 10))]
        elif what == 3:
            value[at:at] = value[int(rng.integers(len(value))) :][: int(rng.integers(1, 30))]
        else:
            value[at] = (value[at] + int(rng.integers(-2, 3))) % 256
        value = value or bytearray(b"\n")
    return bytes(value)


def every_byte(raw, *, step=1):
    """Each byte at each place, `step` apart, replaced by those that mean something in protobuf; and the message cut off there."""
    places = range(0, len(raw), step)
    changed = [raw[:at] + bytes([byte]) + raw[at + 1 :] for at in places for byte in (0, 1, 10, 18, 127, 128, 255)]
    return [*changed, *(raw[:at] for at in places)]


def told(decoded):
    """What a codec of metrics made of a batch, in a form that compares: no NaN is in it."""
    samples = decoded.samples
    rows = zip(samples.row.tolist(), samples.key, samples.ts_ns.tolist(), samples.value.tolist(), strict=True)
    return list(rows), [str(part) for part in decoded.distributions], [(part.row, part.reason) for part in decoded.rejected]
