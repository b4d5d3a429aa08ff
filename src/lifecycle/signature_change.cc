#include "lifecycle/signature_change.h"

namespace modelmill {
namespace {

std::string type_change(const std::string& what, const TensorSpec& before, const TensorSpec& after) {
  return what + " has type " + std::string(dtype_name(after.dtype)) + ", was " + std::string(dtype_name(before.dtype));
}

std::string shape_change(const std::string& what, const TensorSpec& before, const TensorSpec& after) {
  return what + " has shape " + shape_text(dims(after.shape)) + ", was " + shape_text(dims(before.shape));
}

/// Every shape of `before` is one of `after`.
bool takes_all(const Shape& before, const Shape& after) {
  if (before.size() != after.size()) return false;
  for (size_t i = 0; i < before.size(); ++i)
    if (after[i] != -1 && after[i] != before[i]) return false;
  return true;
}

std::string input_change(const TensorSpec& before, const TensorSpec* after) {
  const std::string what = "input '" + before.name + "'";
  if (after == nullptr) return what + " is gone";
  if (after->dtype != before.dtype) return type_change(what, before, *after);
  if (!takes_all(before.shape, after->shape)) return shape_change(what, before, *after);
  if (before.optional && !after->optional) return what + " can't be left out any more";
  return {};
}

std::string output_change(const TensorSpec& before, const TensorSpec* after) {
  const std::string what = "output '" + before.name + "'";
  if (after == nullptr) return what + " is gone";
  if (after->dtype != before.dtype) return type_change(what, before, *after);
  if (!takes_all(after->shape, before.shape)) return shape_change(what, before, *after);
  return {};
}

}  // namespace

std::string breaking_change(const Signature& before, const Signature& after) {
  if (after.open) return {};
  if (before.open) return "it took any inputs, and takes its own alone now";
  for (const TensorSpec& input : before.inputs)
    if (std::string change = input_change(input, after.input(input.name)); !change.empty()) return change;
  for (const TensorSpec& input : after.inputs)
    if (!input.optional && before.input(input.name) == nullptr)
      return "input '" + input.name + "' is new and necessary";
  for (const TensorSpec& output : before.outputs)
    if (std::string change = output_change(output, after.output(output.name)); !change.empty()) return change;
  return {};
}

bool same_signature(const Signature& a, const Signature& b) {
  return breaking_change(a, b).empty() && breaking_change(b, a).empty();
}

std::string breaking_change(const ModelVersion& before, const ModelVersion& after) {
  if (before.definition().decoupled != after.definition().decoupled && !after.signature().open)
    return after.definition().decoupled ? "it gives any number of answers, was one"
                                        : "it gives one answer, was any number";
  if (std::string change = breaking_change(before.signature(), after.signature()); !change.empty()) return change;
  for (const auto& [name, entry] : before.other_signatures()) {
    const ModelVersion* const now = after.entry(name);
    const std::string what = "signature '" + name + "'";
    if (now == nullptr) return what + " is gone";
    if (std::string change = breaking_change(entry->signature(), now->signature()); !change.empty())
      return what + ": " + change;
  }
  return {};
}

}  // namespace modelmill
