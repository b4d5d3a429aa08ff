"""Pictures: the client sends the bytes of a PNG or JPEG file. Needs `pip install pillow`."""

import modelmill


@modelmill.model(output="picture")
def thumbnail(picture: modelmill.Image, size: int = 32) -> modelmill.Image:
    small = picture.convert("RGB")
    small.thumbnail((size, size))
    return small
