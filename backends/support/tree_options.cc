#include "support/tree_options.h"

#include <cstdlib>

namespace modelmill::backend {
namespace {

struct OutputName {
  const char* name;
  TreeOutput output;
};
constexpr OutputName kOutputs[] = {{"value", TreeOutput::kValue},
                                   {"predict", TreeOutput::kPredict},
                                   {"probability", TreeOutput::kProbability},
                                   {"margin", TreeOutput::kMargin},
                                   {"class", TreeOutput::kClass},
                                   {"leaf", TreeOutput::kLeaf},
                                   {"contributions", TreeOutput::kContributions}};

TreeOutput parse_output(const std::string& text) {
  std::string known;
  for (const OutputName& row : kOutputs) {
    if (text == row.name) return row.output;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw Error(MM_INVALID_ARGUMENT, "parameter 'output' is '" + text + "'; it can be " + known);
}

/// Of a model for Triton's FIL backend. Parameters that only choose how fast it runs there are passed over.
TreeOutput fil_output(const ModelConfig& config) {
  if (config.parameter_bool("predict_proba", false)) return TreeOutput::kProbability;
  if (config.parameter_bool("output_class", false) || config.parameter_bool("is_classifier", false))
    return TreeOutput::kClass;
  return TreeOutput::kValue;
}

double parse_threshold(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || std::isnan(value))
    throw Error(MM_INVALID_ARGUMENT, "parameter 'threshold' is '" + text + "', which is no number");
  return value;
}

std::optional<int64_t> parse_iterations(const ModelConfig& config) {
  const auto text = config.parameter("iterations");
  if (!text) return std::nullopt;
  if (*text == "all") return 0;
  const int64_t count = config.parameter_int("iterations", 0);
  if (count < 1)
    throw Error(MM_INVALID_ARGUMENT, "parameter 'iterations' is " + *text + "; it can be a number from 1 on, or 'all'");
  return count;
}

void read_tensors(const ModelConfig& config, TreeOptions& out) {
  if (out.fil) {
    out.input_name = "input__0";
    out.output_name = "output__0";
    out.output_type = MM_FP32;
    out.rank_two = true;
  }
  const auto inputs = config.inputs();
  if (!inputs.empty() && !out.columns) {
    if (inputs.size() == 1) out.input_name = inputs[0].name;
    out.input_type = inputs[0].dtype;
  }
  const auto outputs = config.outputs();
  if (outputs.empty()) return;
  const TensorSpec& spec = outputs[0];
  out.output_name = spec.name;
  out.output_type = spec.dtype;
  // Dims of [1] alone are a row's, with or without a max_batch_size.
  out.rank_two = spec.shape.size() > 1 || (spec.shape.size() == 1 && spec.shape[0] == 1);
}

}  // namespace

TreeOptions TreeOptions::read(const ModelConfig& config, uint32_t instance_threads) {
  TreeOptions out;
  out.fil = config.json()["backend"].text() == "fil";
  if (out.fil) out.output = fil_output(config);
  if (const auto text = config.parameter("output")) out.output = parse_output(*text);
  if (const auto text = config.parameter("inputs")) {
    if (*text != "columns" && *text != "matrix")
      throw Error(MM_INVALID_ARGUMENT, "parameter 'inputs' is '" + *text + "'; it can be matrix or columns");
    out.columns = *text == "columns";
  }
  if (const auto text = config.parameter("threshold")) out.threshold = parse_threshold(*text);
  if (const auto text = config.parameter("input_type")) out.input_type = parse_dtype(*text);
  out.iterations = parse_iterations(config);
  out.threads = instance_threads > 0 ? static_cast<int>(instance_threads) : 1;
  read_tensors(config, out);
  if (out.input_type != MM_FP32 && out.input_type != MM_FP64)
    throw Error(MM_INVALID_ARGUMENT, "its input can be FP32 or FP64, and nothing else");
  if (out.output_type != MM_DTYPE_INVALID && out.output_type != MM_FP32 && out.output_type != MM_FP64 &&
      out.output_type != MM_INT32 && out.output_type != MM_INT64)
    throw Error(MM_INVALID_ARGUMENT, "output '" + out.output_name + "' is configured as " +
                                         dtype_name(out.output_type) + "; it can be FP32, FP64, INT32 or INT64");
  return out;
}

void TreeOptions::settle(const BoosterFacts& facts) {
  if (output == TreeOutput::kPredict) output = facts.saved_classifier ? TreeOutput::kClass : TreeOutput::kValue;
  const std::string objective = "its objective is '" + facts.objective + "', which ";
  if (output == TreeOutput::kProbability && !facts.probabilities)
    throw Error(MM_INVALID_ARGUMENT, objective + "gives no probabilities; leave the parameter " +
                                         (fil ? "predict_proba" : "output") + " out");
  if (output == TreeOutput::kClass && !facts.classifier && !fil)
    throw Error(MM_INVALID_ARGUMENT, objective + "gives no classes; leave the parameter output out");
  if (!columns) return;
  if (facts.feature_names.empty())
    throw Error(MM_INVALID_ARGUMENT,
                "parameter 'inputs' is columns, but the file holds no names of features; train on a table with named "
                "columns, or leave it out");
}

Quantity TreeOptions::quantity() const {
  switch (output) {
    case TreeOutput::kMargin: return Quantity::kMargin;
    case TreeOutput::kLeaf: return Quantity::kLeaf;
    case TreeOutput::kContributions: return Quantity::kContributions;
    case TreeOutput::kProbability:
    case TreeOutput::kClass: return Quantity::kProbabilities;
    default: return Quantity::kValue;
  }
}

}  // namespace modelmill::backend
