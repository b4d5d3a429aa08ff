#include "precision.h"

#include <algorithm>
#include <sstream>

namespace modelmill::ov {
namespace {

using backend::Error;

constexpr char kHint[] = "INFERENCE_PRECISION_HINT";

/// What OpenVINO calls it among what a device can, and among its types.
struct Names {
  const char* capability;
  const char* type;
};
Names names_of(const std::string& precision) {
  if (precision == "bf16") return {"BF16", "bf16"};
  if (precision == "fp16") return {"FP16", "f16"};
  throw Error(MM_INVALID_ARGUMENT, "OpenVINO computes in bf16 and fp16, not in '" + precision + "', by itself");
}

/// A text of OpenVINO's, which is given back to it.
std::string taken(char* text) {
  std::string out = text != nullptr ? text : "";
  api->text_free(text);
  return out;
}

/// "FP32 INT8"; without what is not a type.
std::string types_of(const Core* core, const std::string& device) {
  char* text = nullptr;
  check(api->core_property(core, device.c_str(), "OPTIMIZATION_CAPABILITIES", &text), "device " + device);
  std::istringstream words(taken(text));
  std::string out;
  for (std::string word; words >> word;)
    if (word != "EXPORT_IMPORT") out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

void lower_precision(Options& options, const std::string& precision, const Core* core) {
  const Names names = names_of(precision);
  const std::string types = types_of(core, options.device);
  std::istringstream words(types);
  bool can = false;
  for (std::string word; words >> word;) can |= word == names.capability;
  if (!can)
    throw Error(MM_FAILED_PRECONDITION, "device " + options.device + " of this machine has no " + precision +
                                            " arithmetic; OpenVINO says that it has " + types);
  std::erase_if(options.properties, [](const auto& property) { return property.first == kHint; });
  options.properties.emplace_back(kHint, names.type);
}

void check_precision(const CompiledModel* model, const std::string& precision) {
  char* text = nullptr;
  check(api->compiled_model_property(model, kHint, &text));
  const std::string type = taken(text);
  if (type != names_of(precision).type)
    throw Error(MM_FAILED_PRECONDITION,
                "OpenVINO computes it in " + type + ", although " + precision + " was asked for");
}

}  // namespace modelmill::ov
