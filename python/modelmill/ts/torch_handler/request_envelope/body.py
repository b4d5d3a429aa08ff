from .base import BaseEnvelope


class BodyEnvelope(BaseEnvelope):
    """The handler gets the bodies without their names."""

    def parse_input(self, data):
        return [row.get("data") or row.get("body") for row in data]
