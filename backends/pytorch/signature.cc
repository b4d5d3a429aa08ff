#include "signature.h"

#include <algorithm>

#include "pytree.h"
#include "tensor_names.h"

namespace modelmill::pytorch {
namespace {

using backend::Error;
using backend::TensorSpec;

constexpr int64_t kTriedSize = 2;

std::vector<std::string> names_of(const std::vector<Argument>& arguments) {
  std::vector<std::string> out;
  for (const Argument& argument : arguments) out.push_back(argument.name);
  return out;
}

/// Sizes to try an input with.
std::vector<int64_t> example_of(const std::vector<int64_t>& shape) {
  std::vector<int64_t> out = shape;
  std::replace(out.begin(), out.end(), int64_t{-1}, kTriedSize);
  return out;
}

/// One number: the configuration has no other way to write a shape without dimensions.
bool is_single(const TensorSpec& spec) { return spec.shape.empty() || (spec.shape.size() == 1 && spec.shape[0] == 1); }

void check_kind(const Argument& argument, const TensorSpec& spec) {
  const std::string what =
      "input '" + spec.name + "' is " + backend::dtype_name(spec.dtype) + " in the configuration, ";
  const auto refuse = [&](const std::string& needed) {
    throw Error(MM_INVALID_ARGUMENT, what + "but forward() takes " + argument.type + " there, which is " + needed);
  };
  switch (argument.kind) {
    case Argument::Kind::kTexts:
      if (spec.dtype != MM_STRING || spec.shape.size() != 1) refuse("TYPE_STRING of one dimension");
      return;
    case Argument::Kind::kNumber:
      if (spec.dtype != argument.dtype || !is_single(spec))
        refuse(std::string("TYPE_") + backend::dtype_name(argument.dtype) + " with dims [ 1 ]");
      return;
    case Argument::Kind::kOther:
      throw Error(MM_UNIMPLEMENTED, "forward() takes " + argument.type + " for '" + spec.name +
                                        "'; inputs are tensors, numbers, List[str], or one Dict[str, Tensor]");
    default:
      if (spec.dtype == MM_STRING) refuse("no text");
  }
}

Port configured_port(const TensorSpec& spec, size_t place, const std::vector<PackageInput>* known) {
  Port out;
  out.spec = spec;
  out.place = place;
  out.example = example_of(spec.shape);
  if (known == nullptr) return out;
  const PackageInput& input = (*known)[place];
  out.limits = input.sizes;
  if (input.dtype != spec.dtype || input.sizes.size() != spec.shape.size())
    throw Error(MM_INVALID_ARGUMENT, "input '" + spec.name + "' is " + backend::dtype_name(spec.dtype) +
                                         backend::shape_text(spec.shape) + " in the configuration, but " +
                                         backend::dtype_name(input.dtype) + " of " +
                                         std::to_string(input.sizes.size()) + " dimensions in the package");
  for (size_t i = 0; i < out.limits.size(); ++i) {
    if (out.limits[i].fixed() && spec.shape[i] != out.limits[i].most)
      throw Error(MM_INVALID_ARGUMENT, "input '" + spec.name + "' has shape " + backend::shape_text(spec.shape) +
                                           " in the configuration, but its size " + std::to_string(i) + " is " +
                                           std::to_string(out.limits[i].most) + " in the package");
    if (spec.shape[i] < 0) out.example[i] = std::max(kTriedSize, out.limits[i].least);
  }
  return out;
}

std::vector<Port> configured_inputs(const std::vector<TensorSpec>& specs, const std::vector<Argument>& arguments,
                                    const std::vector<PackageInput>* known) {
  std::vector<Port> out;
  if (takes_dictionary(arguments)) {
    for (const TensorSpec& spec : specs) {
      check_kind(arguments[0], spec);
      out.push_back(configured_port(spec, 0, nullptr));
    }
    return out;
  }
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  const std::vector<size_t> places = match_names(names, names_of(arguments), "input");
  for (size_t i = 0; i < specs.size(); ++i) {
    const Argument& argument = arguments[places[i]];
    check_kind(argument, specs[i]);
    Port& port = out.emplace_back(configured_port(specs[i], places[i], known));
    if (argument.kind == Argument::Kind::kNumber) port.spec.shape = port.example = {};
  }
  for (size_t i = 0; i < arguments.size(); ++i)
    if (!arguments[i].optional && std::find(places.begin(), places.end(), i) == places.end())
      throw Error(MM_INVALID_ARGUMENT, "the configuration lacks input '" +
                                           (arguments[i].name.empty() ? input_name(i) : arguments[i].name) +
                                           "', which the model needs");
  return out;
}

/// What to write where the file doesn't tell.
[[noreturn]] void ask_for_configuration(const std::vector<Argument>& arguments) {
  std::string sample;
  for (size_t i = 0; i < arguments.size(); ++i)
    if (!arguments[i].optional)
      sample += " input { name: \"" + (arguments[i].name.empty() ? input_name(i) : arguments[i].name) +
                "\" data_type: TYPE_FP32 dims: [ -1, 3, 224, 224 ] }";
  throw Error(MM_INVALID_ARGUMENT,
              "the file does not tell its inputs' types and shapes, as one of torch.jit.trace does; list them in "
              "config.pbtxt, in the manner of: max_batch_size: 0" +
                  sample);
}

/// An input that the file describes; its first size is free for now, which is tried out.
Port told_port(const Argument& argument, size_t place, const PackageInput* known) {
  Port out;
  out.place = place;
  out.spec.name = argument.name.empty() ? input_name(place) : argument.name;
  out.spec.dtype = known != nullptr ? known->dtype : argument.dtype;
  out.spec.optional = argument.optional;
  if (known != nullptr) {
    out.limits = known->sizes;
    for (const PackageInput::Size& size : known->sizes) {
      out.spec.shape.push_back(size.fixed() ? size.most : -1);
      out.example.push_back(size.fixed() ? size.most : std::max(kTriedSize, size.least));
    }
  } else if (argument.kind == Argument::Kind::kTexts) {
    out.spec.shape = {-1};
    out.example = {kTriedSize};
  } else {
    out.spec.shape = out.example = argument.example;
    if (!out.spec.shape.empty()) out.spec.shape[0] = -1;
  }
  return out;
}

}  // namespace

bool takes_dictionary(const std::vector<Argument>& arguments) {
  return arguments.size() == 1 && arguments[0].kind == Argument::Kind::kDictionary;
}

std::vector<Argument> package_arguments(const Description& description, const std::vector<PackageInput>* inputs) {
  const std::vector<std::string> names = pytree_names(description.takes);
  std::vector<Argument> out(inputs != nullptr ? inputs->size() : names.size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i].type = "Tensor";
    if (names.size() == out.size()) out[i].name = names[i];
  }
  return out;
}

std::vector<Port> make_inputs(const backend::ModelConfig& config, const std::vector<Argument>& arguments,
                              const std::vector<PackageInput>* known) {
  const std::vector<TensorSpec> configured = config.inputs();
  if (!configured.empty()) return configured_inputs(configured, arguments, known);
  std::vector<Port> out;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    const bool told = known != nullptr || argument.has_example || argument.kind == Argument::Kind::kTexts ||
                      argument.kind == Argument::Kind::kNumber;
    if (told) {
      out.push_back(told_port(argument, i, known != nullptr ? &(*known)[i] : nullptr));
    } else if (!argument.optional) {
      ask_for_configuration(arguments);
    }
  }
  return out;
}

}  // namespace modelmill::pytorch
