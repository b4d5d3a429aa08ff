import torch

from ts.utils.util import map_class_to_label

from .vision_handler import VisionHandler, imagenet_processing


class ImageClassifier(VisionHandler):
    """Answers {label: probability} of the `topk` likeliest classes."""

    topk = 5
    image_processing = imagenet_processing()

    def set_max_result_classes(self, topk):
        self.topk = topk

    def get_max_result_classes(self):
        return self.topk

    def postprocess(self, data):
        probabilities = torch.nn.functional.softmax(data, dim=1)
        values, classes = torch.topk(probabilities, min(self.topk, probabilities.shape[1]), dim=1)
        return map_class_to_label(values.tolist(), self.mapping, classes.tolist())
