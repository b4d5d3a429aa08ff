from .base import Lists


class KServeEnvelope(Lists):
    """KServe's first protocol: {"instances": [...]}, answered by {"predictions": [...]} or {"explanations": [...]}."""

    key = "instances"

    def format_output(self, data):
        explains = self.context.get_request_header(0, "explain") == "True"
        return [{"explanations" if explains else "predictions": part} for part in self.split(data)]
