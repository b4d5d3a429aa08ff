#include "lifecycle/runtime_likeness.h"

#include <algorithm>

#include "lifecycle/signature_change.h"

namespace modelmill {
namespace {

std::string other_entries(const LoadedVersion& reference, const LoadedVersion& other) {
  const ModelVersion::Description &was = reference.description, &is = other.description;
  if (was.signature_name != is.signature_name)
    return "it runs the signature '" + is.signature_name + "', not '" + was.signature_name + "'";
  if (was.signature_method != is.signature_method)
    return "its signature's method is '" + is.signature_method + "', not '" + was.signature_method + "'";
  for (const LoadedVersion& entry : reference.other_signatures) {
    const std::string& name = entry.description.signature_name;
    const auto same = [&](const LoadedVersion& own) { return own.description.signature_name == name; };
    if (std::none_of(other.other_signatures.begin(), other.other_signatures.end(), same))
      return "it does not run the model's signature '" + name + "'";
  }
  return {};
}

}  // namespace

std::string visible_difference(const LoadedVersion& reference, const LoadedVersion& other) {
  if (std::string change = breaking_change(reference.description.signature, other.description.signature);
      !change.empty())
    return change;
  if (reference.plan.max_batch_rows != other.plan.max_batch_rows) return "it would be batched differently";
  return other_entries(reference, other);
}

}  // namespace modelmill
