"""What handlers call to find their classes and labels, and raise to answer with an error."""

import inspect
import itertools
import json
import logging
import os

log = logging.getLogger(__name__)


class PredictionException(Exception):
    """The answer to every request of the batch is this message with the HTTP status `error_code`."""

    def __init__(self, message, error_code=500):
        super().__init__(message)
        self.message, self.error_code = message, error_code

    def __str__(self):
        return f"{self.message} : {self.error_code}"


def list_classes_from_module(module, parent_class=None):
    """The classes that are defined in a module itself."""
    return [
        value
        for _, value in inspect.getmembers(module, inspect.isclass)
        if value.__module__ == module.__name__ and (parent_class is None or issubclass(value, parent_class))
    ]


def load_label_mapping(mapping_file_path, **_):
    """Names by class number as text, of index_to_name.json; None when there is none."""
    if not os.path.isfile(mapping_file_path):
        log.warning("%s is missing, so classes are answered by their number", mapping_file_path)
        return None
    with open(mapping_file_path) as file:
        mapping = json.load(file)
    if isinstance(mapping, dict) and "object_type_names" in mapping:
        mapping = mapping["object_type_names"]
    if isinstance(mapping, list):
        mapping = dict(enumerate(mapping))
    if not isinstance(mapping, dict):
        raise ValueError(f"{mapping_file_path} must be a JSON object of names by class number")
    return {str(key): _name_of(key, value) for key, value in mapping.items()}


def _name_of(key, value):
    name = value[-1] if isinstance(value, list) and value else value
    if not isinstance(name, str):
        raise ValueError(f"the label of class {key} must be a text or a list that ends with one, not {value!r}")
    return name


def map_class_to_label(probs, mapping=None, lbl_classes=None):
    """For each row of `probs` {label: probability}; `lbl_classes` has the class numbers, of each row from 0 on otherwise."""
    if not isinstance(probs, list) or not all(isinstance(row, list) for row in probs):
        raise TypeError("probabilities must be a list of lists; convert tensors with tolist()")
    if lbl_classes is None:
        lbl_classes = itertools.repeat(range(len(probs[0])) if probs else (), len(probs))

    def name(number):
        return str(number) if mapping is None else mapping.get(str(number), str(number))

    return [{name(number): value for number, value in zip(numbers, row)} for numbers, row in zip(lbl_classes, probs)]


def get_yaml_config(yaml_file_path):
    import yaml

    with open(yaml_file_path) as file:
        return yaml.safe_load(file) or {}
