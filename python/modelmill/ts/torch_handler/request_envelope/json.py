from .base import Lists


class JSONEnvelope(Lists):
    """{"instances": [...]} and {"predictions": [...]}."""

    key = "instances"

    def format_output(self, data):
        return [{"predictions": part} for part in self.split(data)]
