import torch

from .vision_handler import VisionHandler, imagenet_processing


class ImageSegmenter(VisionHandler):
    """Answers [height][width][class, probability]."""

    image_processing = imagenet_processing()

    def postprocess(self, data):
        out = data["out"] if isinstance(data, dict) else data
        values, classes = torch.nn.functional.softmax(out, dim=1).max(dim=1)
        return torch.stack([classes.type(values.dtype), values], dim=3).tolist()
