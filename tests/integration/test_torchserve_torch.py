"""The handlers that TorchServe brings, with models of torch's: two behind a server, the others called as its worker does."""

import json
import pathlib

import onnxruntime
import pytest

import models
import servers
from test_torchserve_handlers import ask, refusal
from torchserve_archives import VENV, pack, run, write

LABELS = {str(number): [f"n{number}", name] for number, name in enumerate(("tench", "shark", "ray", "hen", "crow", "owl"))}

NET = """
    import torch

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 2)

        def forward(self, x):
            return self.linear(x)
"""

# Makes the weights, a picture's classifier, and what both answer to the tests' inputs.
MAKE = """
    import json
    import numpy as np
    import PIL.Image, torch, torchvision
    from net import Net
    gradient = np.linspace(0, 255, 280 * 300 * 3).reshape(280, 300, 3).astype(np.uint8)
    PIL.Image.fromarray(gradient).save("picture.png")
    torch.manual_seed(3)
    net = Net().eval()
    torch.save(net.state_dict(), "net.pth")
    classifier = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, stride=2), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(6, 6)
    ).eval()
    torch.jit.script(classifier).save("classifier.pt")
    steps = torchvision.transforms
    prepare = steps.Compose([steps.Resize(256), steps.CenterCrop(224), steps.ToTensor(),
                             steps.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    picture = prepare(PIL.Image.open("picture.png").convert("RGB"))
    with torch.inference_mode():
        probabilities = classifier(picture[None]).softmax(1)[0].tolist()
        print(json.dumps({"net": net(torch.tensor([[1.0, 2, 3, 4]])).tolist()[0], "classifier": probabilities}))
"""

# Calls the other default handlers with models made here.
OTHERS = """
    import os, sys
    import torch
    sys.path.insert(0, sys.argv[1])
    from modelmill.worker.flavours import torchserve
    torchserve.import_ts()
    from ts.context import Context, RequestProcessor
    from ts.metrics.metrics_store import MetricsStore

    torch.manual_seed(5)

    class Texts(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bag, self.out = torch.nn.EmbeddingBag(10, 4), torch.nn.Linear(4, 2)
        def forward(self, numbers, offsets):
            return self.out(self.bag(numbers, offsets))

    class Boxes(torch.nn.Module):
        def forward(self, pictures: list[torch.Tensor]) -> tuple[dict[str, torch.Tensor], list[dict[str, torch.Tensor]]]:
            found = {"boxes": torch.tensor([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]), "labels": torch.tensor([1, 2]),
                     "scores": torch.tensor([0.75, 0.25])}
            return {"loss": torch.zeros(1)}, [found for _ in pictures]

    class Segments(torch.nn.Module):
        def forward(self, x):
            return {"out": torch.cat([x, x * 2], 1)}

    def serve(handler, model, explain="False", rows=(), file="m.pt"):
        if model is not None:
            torch.jit.script(model).save(file)
        context = Context("m", os.getcwd(), {"model": {"serializedFile": file}}, 2, None, MetricsStore("m"))
        context.request_processor = [RequestProcessor({"explain": explain}) for _ in rows]
        entry = torchserve.Entry(handler)
        entry.initialize(context)
        return entry.call(list(rows), context)

    torch.save({"<unk>": 0, "good": 1, "day": 2, "good day": 3, "is": 4, "not": 5}, "source_vocab.pt")
    texts = Texts().eval()
    answer = serve("text_classifier", texts, rows=[{"body": b"<b>Good</b> day!"}, {"data": "isn't"}])
    with torch.inference_mode():
        wanted = texts(torch.tensor([1, 2, 3, 4, 5, 0]), torch.tensor([0, 3])).softmax(1)
    assert torch.allclose(torch.tensor([[row["bad"], row["fine"]] for row in answer]), wanted), (answer, wanted)

    picture = open("picture.png", "rb").read()
    assert serve("object_detector", Boxes(), rows=[{"body": picture}] * 2) == [[{"fine": [0, 1, 2, 3], "score": 0.75}]] * 2

    (answer,) = serve("image_segmenter", Segments(), rows=[{"body": picture}])
    assert len(answer) == len(answer[0]) == 224 and 0 <= answer[0][0][0] < 6 and 0 < answer[0][0][1] <= 1, answer[0][0]

    try:
        serve("base_handler", torch.nn.Identity(), "True", [{"body": "[1]"}])
    except NotImplementedError as error:
        assert "get_insights" in str(error)
    else:
        raise AssertionError("nothing was refused")
    assert serve("insight", torch.nn.Identity(), "True", [{"body": "[1, 2]", "target": 3}]) == [[3, "[1, 2]", 3]]
    assert serve("insight.py", torch.nn.Identity(), rows=[{"body": [1, 2]}]) == [[1, 2]]

    exported = torch.export.export(torch.nn.Hardtanh(), (torch.zeros(1, 2),))
    torch.export.save(exported, "m.pt2")
    assert serve("base_handler", None, rows=[{"body": [0.5, 2]}], file="m.pt2") == [[0.5, 1]]

    sys.path.append(sys.argv[2])
    assert serve("base_handler", None, rows=[{"body": [1.0, 2, 3, 4]}] * 2, file="m.onnx") == [[2, 4, 6, 8]] * 2
"""


INSIGHT = """
    from ts.torch_handler.base_handler import BaseHandler

    class Insight(BaseHandler):
        def get_insights(self, tensor, raw, target):
            return [[tensor.sum().item(), raw, target]]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder with the models' files, and what they answer."""
    folder = tmp_path_factory.mktemp("torchserve_torch")
    write(folder / "net.py", NET)
    write(folder / "index_to_name.json", json.dumps(LABELS))
    return folder, json.loads(run(folder, MAKE))


def test_eager_weights_and_a_classifier_of_pictures(made, serve):
    folder, answers = made
    store = folder / "store"
    pack(folder, store, "net", "base_handler", model_file=folder / "net.py", serialized_file=folder / "net.pth")
    labels = folder / "index_to_name.json"
    pack(folder, store, "cat", "image_classifier", serialized_file=folder / "classifier.pt", files=[labels])
    server = serve(store, "--python", VENV)
    (answer,), _ = ask(server, "net", [1.0, 2, 3, 4])
    assert json.loads(answer) == pytest.approx(answers["net"])
    code, text = refusal(server, "net", [1.0, 2])
    assert code == "INTERNAL" and "RuntimeError" in text
    (answer,), said = ask(server, "cat", (folder / "picture.png").read_bytes())
    assert said["content_type"] == "application/json"
    names = [names[1] for names in LABELS.values()]
    best = sorted(zip(answers["classifier"], names), reverse=True)[:5]
    assert list(json.loads(answer)) == [name for _, name in best]
    assert list(json.loads(answer).values()) == pytest.approx([value for value, _ in best], rel=1e-4)
    code, text = refusal(server, "cat", b"no picture")
    assert code == "INTERNAL" and "cannot identify image file" in text
    server.stop()


def test_the_other_handlers(made, tmp_path):
    (tmp_path / "picture.png").write_bytes((made[0] / "picture.png").read_bytes())
    write(tmp_path / "index_to_name.json", json.dumps({"0": "bad", "1": "fine"}))
    write(tmp_path / "insight.py", INSIGHT)
    models.save(models.scaled(2), tmp_path / "m.onnx")
    run(tmp_path, OTHERS, servers.ROOT / "python", pathlib.Path(onnxruntime.__file__).parent.parent)


def test_what_a_handler_needs_and_has_not(tmp_path):
    """An interpreter without torch: the error names what to do."""
    archive = pack(tmp_path, tmp_path / "store", "cat", "image_classifier", serialized_file=write(tmp_path / "m.pt", ""))
    result = servers.run_cli("serve", archive, "--port", 0)
    assert result.returncode == 1 and "No module named 'torch'" in result.stderr, result.stderr
