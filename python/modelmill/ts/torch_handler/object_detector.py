import torch
import torchvision.transforms

from ts.utils.util import map_class_to_label

from .vision_handler import VisionHandler


class ObjectDetector(VisionHandler):
    """Answers a list of {label: [left, top, right, bottom], "score": ...} of what passes `threshold`."""

    threshold = 0.5
    image_processing = torchvision.transforms.ToTensor()

    def preprocess(self, data):
        return [self.read(row).to(self.device) for row in data]

    def inference(self, data, *args, **kwargs):
        with torch.inference_mode():
            found = self.model(data, *args, **kwargs)
        return found[1] if isinstance(found, tuple) else found  # TorchScript has losses before it

    def postprocess(self, data):
        return [self._objects(row) for row in data]

    def _objects(self, row):
        kept = row["scores"] >= self.threshold
        out = []
        for box, number, score in zip(*(row[key][kept].tolist() for key in ("boxes", "labels", "scores"))):
            (entry,) = map_class_to_label([[box]], self.mapping, [[number]])
            out.append({**entry, "score": score})
        return out
