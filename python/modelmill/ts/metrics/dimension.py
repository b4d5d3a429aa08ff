class Dimension:
    """A label of a metric."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __str__(self):
        return f"{self.name}:{self.value}"

    def to_dict(self):
        return {"Name": self.name, "Value": self.value}
