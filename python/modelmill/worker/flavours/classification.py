"""Classification of texts, and of pairs of them: the likeliest label, and how likely each is."""

from modelmill.worker import frames

from .huggingface_parts import BATCH, TEXT, Tokenizer, load_model
from .rows import Rows, field, texts

_PAIR = "text_pair"


def serve(folder):
    import torch

    model = load_model("AutoModelForSequenceClassification", folder)
    config = model.config
    tokenizer = Tokenizer(folder, config)
    config.pad_token_id = tokenizer.tokenizer.pad_token_id
    count = config.num_labels
    labels = [str(config.id2label.get(i, i)) for i in range(count)]
    pair = field(_PAIR, frames.STRING)
    pair.optional = True

    def predict(arrays):
        columns = [texts(arrays[name]) for name in (TEXT, _PAIR) if name in arrays]
        with torch.inference_mode():
            logits = model(**tokenizer(*columns)).logits.float()
            if config.problem_type == "regression":
                scores = logits
            elif config.problem_type == "multi_label_classification" or count == 1:
                scores = logits.sigmoid()
            else:
                scores = logits.softmax(-1)
        if count == 1:
            return [scores[:, 0]]
        return [[labels[i] for i in logits.argmax(-1).tolist()], scores]

    float32 = frames.NUMBERS["FP32"]
    outputs = (
        [field("score", float32)]
        if count == 1
        else [field("label", frames.STRING), field("probabilities", float32, count)]
    )
    return Rows([field(TEXT, frames.STRING), pair], outputs, predict, BATCH)
