// Part of modelmill/backend.hpp: what a model's configuration says.
#ifndef MODELMILL_BACKEND_CONFIG_HPP_
#define MODELMILL_BACKEND_CONFIG_HPP_

#include <optional>

#include "json.hpp"

namespace modelmill::backend {

/// One input or output of a model.
struct TensorSpec {
  std::string name;
  mm_dtype dtype = MM_DTYPE_INVALID;
  std::vector<int64_t> shape;        // batch dimension included; -1: any size
  std::vector<std::string> symbols;  // empty, or for each dimension its name or ""
  bool optional = false;
};

/// A model's configuration (Triton's ModelConfig as JSON). Immutable.
class ModelConfig {
 private:
  static const Json& parameter_value(const Json& value) {
    return value.kind() == Json::Kind::kObject ? value["string_value"] : value;
  }
  template <typename F>
  auto convert(std::string_view name, F&& read) const {
    try {
      return read(parameter_value(json_["parameters"][name]));
    } catch (const Error& e) {
      throw Error(e.code(), "parameter '" + std::string(name) + "': " + e.what());
    }
  }

 public:
  ModelConfig() = default;
  explicit ModelConfig(std::string_view text) : json_(Json::parse(text)) {}

  /// Everything, for what has no function here.
  const Json& json() const { return json_; }
  /// 0: no batch dimension, or not configured.
  int64_t max_batch_size() const { return json_["max_batch_size"].integer(0); }
  /// The inputs and outputs that the author wrote down, with the batch dimension put before them where there is one.
  std::vector<TensorSpec> inputs() const { return tensors("input"); }
  std::vector<TensorSpec> outputs() const { return tensors("output"); }

  /// One of the free-form parameters, written as {"string_value": "x"} or plainly.
  std::optional<std::string> parameter(std::string_view name) const {
    const Json& value = parameter_value(json_["parameters"][name]);
    if (value.is_null()) return std::nullopt;
    return value.text();
  }
  int64_t parameter_int(std::string_view name, int64_t fallback) const {
    return convert(name, [&](const Json& value) { return value.integer(fallback); });
  }
  bool parameter_bool(std::string_view name, bool fallback) const {
    return convert(name, [&](const Json& value) { return value.boolean(fallback); });
  }
  std::vector<std::pair<std::string, std::string>> parameters() const {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& [name, value] : json_["parameters"].members())
      out.emplace_back(name, parameter_value(value).text());
    return out;
  }

 private:
  std::vector<TensorSpec> tensors(std::string_view key) const {
    std::vector<TensorSpec> out;
    const bool batched = max_batch_size() > 0;
    for (const Json& item : json_[key].items()) {
      TensorSpec spec;
      spec.name = item["name"].text();
      spec.dtype = parse_dtype(item["data_type"].text());
      spec.optional = item["optional"].boolean(false);
      if (batched) spec.shape.push_back(-1);
      // The model sees the reshaped form, clients see `dims`.
      const Json& reshape = item["reshape"];
      for (const Json& size : (reshape.is_null() ? item["dims"] : reshape["shape"]).items())
        spec.shape.push_back(size.integer());
      if (batched) {
        spec.symbols.resize(spec.shape.size());
        spec.symbols[0] = "batch";
      }
      out.push_back(std::move(spec));
    }
    return out;
  }

  Json json_;
};

}  // namespace modelmill::backend

#endif  // MODELMILL_BACKEND_CONFIG_HPP_
