"""A model's configuration as a model.py sees it, and as its auto_complete_config() completes it."""

_KEYS = ("name", "data_type", "dims")


class ModelConfig:
    """What auto_complete_config() is given. Each function raises ValueError where the configuration says otherwise."""

    def __init__(self, config):
        self._config = config

    def as_dict(self):
        return self._config

    def set_max_batch_size(self, max_batch_size):
        if not isinstance(max_batch_size, int) or max_batch_size < 0:
            raise ValueError(f"max_batch_size must be a number from 0 on, not {max_batch_size!r}")
        configured = self._config.get("max_batch_size", 0)
        if configured > max_batch_size:
            raise ValueError(
                f"the configuration has max_batch_size {configured}, more than the {max_batch_size} that "
                "auto_complete_config sets"
            )
        self._config["max_batch_size"] = max_batch_size

    def set_dynamic_batching(self):
        for other in ("sequence_batching", "ensemble_scheduling"):
            if other in self._config:
                raise ValueError(f"the configuration has {other}, so auto_complete_config can't set dynamic_batching")
        self._config.setdefault("dynamic_batching", {})

    def set_model_transaction_policy(self, transaction_policy_dict):
        unknown = sorted(set(transaction_policy_dict) - {"decoupled"})
        if unknown:
            raise ValueError(f"the model transaction policy has no {', '.join(unknown)}, only decoupled")
        if "decoupled" not in transaction_policy_dict:
            return
        decoupled = bool(transaction_policy_dict["decoupled"])
        configured = self._config.get("model_transaction_policy")
        if configured is not None and bool(configured.get("decoupled")) != decoupled:
            raise ValueError(
                f"the configuration has decoupled {bool(configured.get('decoupled'))} in its model_transaction_policy, "
                f"auto_complete_config sets {decoupled}"
            )
        self._config["model_transaction_policy"] = {"decoupled": decoupled}

    def add_input(self, input):
        self._add("input", input, ("optional", "allow_ragged_batch", "is_shape_tensor", "reshape", "format"))

    def add_output(self, output):
        self._add("output", output, ("label_filename", "is_shape_tensor", "reshape"))

    def _add(self, kind, tensor, others):
        for key in _KEYS:
            if key not in tensor:
                raise ValueError(f"{kind} {tensor.get('name', tensor)!r} lacks '{key}'; it has {', '.join(_KEYS)}")
        unknown = sorted(set(tensor) - {*_KEYS, *others})
        if unknown:
            raise ValueError(f"{kind} '{tensor['name']}' can't have {', '.join(unknown)}")
        listed = self._config.setdefault(kind, [])
        for known in listed:
            if known["name"] == tensor["name"]:
                return _check_same(kind, known, tensor)
        listed.append({**tensor, "dims": list(tensor["dims"])})


def _check_same(kind, configured, given):
    for key in ("data_type", "dims"):
        left, right = configured[key], given[key]
        if key == "dims":
            left, right = list(left), list(right)
        if left != right:
            raise ValueError(
                f"{kind} '{given['name']}' has {key} {left} in the configuration, {right} in auto_complete_config"
            )
    if kind == "input" and given.get("optional"):
        configured["optional"] = True


def _by_name(listed, name):
    return next((tensor for tensor in listed if tensor["name"] == name), None)


def get_input_config_by_name(model_config, name):
    """The entry of an input in a configuration; None when there is none."""
    return _by_name(model_config.get("input", ()), name)


def get_output_config_by_name(model_config, name):
    """The entry of an output in a configuration; None when there is none."""
    return _by_name(model_config.get("output", ()), name)


def using_decoupled_model_transaction_policy(model_config):
    return bool((model_config.get("model_transaction_policy") or {}).get("decoupled"))
