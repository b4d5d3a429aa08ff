"""HTTP/2 by hand, as little of it as clients need that hold still or misbehave."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, flags=0, stream=0, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def settings(**values):
    """settings(initial_window=0)."""
    numbers = {"initial_window": 4}
    payload = b"".join(
        numbers[name].to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in values.items()
    )
    return frame(SETTINGS, payload=payload)


SETTINGS_ACK = frame(SETTINGS, ACK)


def _text(value):
    assert len(value) < 127
    return bytes([len(value)]) + value.encode()


def head(method, path, **fields):
    """A header block: what HPACK's static table has by its number, all else literally."""
    block = bytes([{"GET": 0x82, "POST": 0x83}[method], 0x86, 0x04]) + _text(path) + b"\x01" + _text("soak")
    for name, value in fields.items():
        block += b"\x00" + _text(name.replace("_", "-")) + _text(value)
    return block


def take_frames(buffer):
    """Removes the whole frames from the front of a bytearray: [(kind, flags, stream, length)]."""
    frames = []
    while len(buffer) >= 9:
        length = int.from_bytes(buffer[:3], "big")
        if len(buffer) < 9 + length:
            break
        frames.append((buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big") & 0x7FFFFFFF, length))
        del buffer[: 9 + length]
    return frames
