"""What the handlers of pictures share."""

import base64
import io

import torch

from .base_handler import BaseHandler

try:
    import PIL.Image
    import torchvision.transforms
except ImportError as error:
    raise ImportError(
        f"TorchServe's handlers of pictures need torchvision and Pillow ({error}); "
        "name them in the archive's requirements.txt, or install them beside torch"
    ) from None

# Of ImageNet, as the models of torchvision were trained.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def imagenet_processing():
    """The middle 224 x 224 of a picture whose shorter side is made 256, normalised."""
    return torchvision.transforms.Compose(
        [
            torchvision.transforms.Resize(256),
            torchvision.transforms.CenterCrop(224),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize(mean=_MEAN, std=_DEVIATION),
        ]
    )


class VisionHandler(BaseHandler):
    """Bodies are pictures as files, such files as base64 text, or arrays of numbers that are the tensor itself. Classes
    below have `image_processing`, which makes a tensor of a PIL.Image."""

    def initialize(self, context):
        super().initialize(context)
        try:
            from captum.attr import IntegratedGradients
        except ImportError:
            self.ig = None
        else:
            self.ig = IntegratedGradients(self.model)

    def read(self, row):
        """The tensor of one request."""
        value = row.get("data")
        if value is None:
            value = row.get("body")
        if isinstance(value, dict) and "data" in value:
            value = value["data"]
        if isinstance(value, str):
            value = base64.b64decode(value)
        if isinstance(value, (bytes, bytearray)):
            return self.image_processing(PIL.Image.open(io.BytesIO(value)).convert("RGB"))
        return torch.as_tensor(value, dtype=torch.float32)

    def preprocess(self, data):
        return torch.stack([self.read(row) for row in data]).to(self.device)

    def get_insights(self, tensor_data, _, target=0):
        if self.ig is None:
            raise ImportError("to explain pictures needs captum; name it in the archive's requirements.txt")
        return self.ig.attribute(tensor_data, target=int(target), n_steps=15).tolist()
