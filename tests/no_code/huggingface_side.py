"""Folders of Hugging Face: tiny models with random weights, and a tokenizer that is trained on a few words."""

import json

import side
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

WORDS = "the quick brown fox jumps over a lazy dog while good films are seen by many and bad ones are not".split()
TEXTS = ["the quick fox", "a good film and a lazy dog jumps over many bad ones", "☃"]
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def tokenizer_of():
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    made.train_from_iterator([" ".join(WORDS)] * 3, trainer)
    made.post_processor = None
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
        model_max_length=64,
    )


def bert(kind, tokenizer, **more):
    torch.manual_seed(0)
    return kind(transformers.BertConfig(vocab_size=len(tokenizer), pad_token_id=0, **SIZES, **more)).eval()


def save(folder, name, model, tokenizer, **options):
    model.save_pretrained(folder / name, **options)
    tokenizer.save_pretrained(folder / name)


def hidden_of(model, tokenizer, text):
    with torch.inference_mode():
        return model(**tokenizer([text], return_tensors="pt")).last_hidden_state[0]


def make_classifiers(answers, tokenizer):
    folder = answers.folder
    classifier = bert(
        transformers.BertForSequenceClassification,
        tokenizer,
        id2label={0: "bad", 1: "good", 2: "fair"},
        label2id={"bad": 0, "good": 1, "fair": 2},
    )
    save(folder, "classifier", classifier, tokenizer)
    for pairs in ({}, {"text_pair": TEXTS[::-1]}):
        columns = [TEXTS, *pairs.values()]
        with torch.inference_mode():
            logits = torch.cat(
                [classifier(**tokenizer(*[[c] for c in row], return_tensors="pt")).logits for row in zip(*columns)]
            )
        labels = [classifier.config.id2label[i] for i in logits.argmax(-1).tolist()]
        answers.add("classifier", {"text": TEXTS, **pairs}, label=labels, probabilities=logits.softmax(-1))
    scorer = bert(transformers.BertForSequenceClassification, tokenizer, num_labels=1)
    save(folder, "scorer", scorer, tokenizer)
    with torch.inference_mode():
        scores = [scorer(**tokenizer([text], return_tensors="pt")).logits.sigmoid().item() for text in TEXTS]
    answers.add("scorer", {"text": TEXTS}, score=scores)


def make_encoders(answers, tokenizer):
    folder = answers.folder
    encoder = bert(transformers.BertModel, tokenizer)
    save(folder, "plain", encoder, tokenizer)
    make_sentences(answers, encoder, tokenizer)
    # Weights of before safetensors.
    save(folder, "old", encoder, tokenizer)
    (folder / "old/model.safetensors").unlink()
    torch.save(encoder.state_dict(), folder / "old/pytorch_model.bin")
    means = torch.stack([hidden_of(encoder, tokenizer, text).mean(0) for text in TEXTS])
    answers.add("old", {"text": TEXTS}, embedding=means)


def make_sentences(answers, encoder, tokenizer):
    """As sentence-transformers saves it."""
    folder = answers.folder
    save(folder, "sentences", encoder, tokenizer)
    modules = ["Transformer", "Pooling", "Dense", "Normalize"]
    listed = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(modules)
    ]
    (folder / "sentences/modules.json").write_text(json.dumps(listed))
    for i, kind in enumerate(modules[1:], 1):
        (folder / f"sentences/{i}_{kind}").mkdir()
    pooling = {
        "word_embedding_dimension": 16,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_max_tokens": True,
    }
    (folder / "sentences/1_Pooling/config.json").write_text(json.dumps(pooling))
    dense = {
        "in_features": 32,
        "out_features": 8,
        "bias": True,
        "activation_function": "torch.nn.modules.activation.Tanh",
    }
    (folder / "sentences/2_Dense/config.json").write_text(json.dumps(dense))
    torch.manual_seed(1)
    layer = torch.nn.Linear(32, 8)
    save_file(
        {"linear.weight": layer.weight.detach(), "linear.bias": layer.bias.detach()},
        folder / "sentences/2_Dense/model.safetensors",
    )
    hidden = [hidden_of(encoder, tokenizer, text) for text in TEXTS]
    pooled = torch.stack([torch.cat([h[0], h.amax(0)]) for h in hidden])
    dense_out = torch.nn.functional.normalize(layer(pooled).tanh(), dim=1).detach()
    answers.add("sentences", {"text": TEXTS}, embedding=dense_out)


def make_writer(answers, tokenizer):
    folder = answers.folder
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), eos_token_id=None, bos_token_id=None, pad_token_id=0, num_key_value_heads=2, **SIZES
    )
    writer = transformers.LlamaForCausalLM(config).eval()
    save(folder, "writer", writer, tokenizer)
    with torch.inference_mode():
        tokens = tokenizer([TEXTS[0]], return_tensors="pt")
        tokens.pop("token_type_ids", None)
        written = writer.generate(**tokens, max_new_tokens=12, do_sample=False)[0, tokens["input_ids"].shape[1] :]
    (folder / "written.json").write_text(json.dumps(tokenizer.decode(written, skip_special_tokens=True)))


def main():
    answers, tokenizer = side.Answers(), tokenizer_of()
    make_classifiers(answers, tokenizer)
    make_encoders(answers, tokenizer)
    make_writer(answers, tokenizer)
    save(answers.folder, "names", bert(transformers.BertForTokenClassification, tokenizer), tokenizer)
    answers.write()


main()
