#include "trial.h"

#include <algorithm>

#include "tensor_names.h"

namespace modelmill::pytorch {
namespace {

using backend::Error;

/// One call with zeros of the inputs' example sizes; open sizes are larger by `more`.
std::unique_ptr<Outputs> call(BridgeModel& model, size_t arguments, const std::vector<Port>& inputs, int64_t more,
                              const RunOptions& options) {
  std::vector<std::vector<int64_t>> shapes;
  std::vector<backend::Buffer> buffers(inputs.size());
  const bool dictionary = takes_dictionary(model.description().arguments);
  std::vector<InputValue> values(dictionary ? inputs.size() : arguments);
  shapes.reserve(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Port& port = inputs[i];
    if (port.spec.optional && !dictionary) continue;
    std::vector<int64_t>& shape = shapes.emplace_back(port.example);
    for (size_t k = 0; k < shape.size(); ++k)
      if (port.spec.shape[k] < 0) shape[k] += more;
    InputValue& value = values[dictionary ? i : port.place];
    value = value_for(port, port.spec.dtype, shape);
    const uint64_t count = backend::element_count(shape);
    if (port.spec.dtype == MM_STRING) {
      value.texts.assign(count, "");
      continue;
    }
    const uint64_t size = count * backend::element_size(port.spec.dtype);
    std::byte* const zeros = buffers[i].reserve(size);
    std::fill_n(zeros, size, std::byte{});
    value.data = zeros;
  }
  return model.run(values, options);
}

bool same_kind(const Outputs& a, const Outputs& b) {
  return std::equal(a.values.begin(), a.values.end(), b.values.begin(), b.values.end(),
                    [](const OutputValue& left, const OutputValue& right) {
                      return left.dtype == right.dtype && left.shape.size() == right.shape.size();
                    });
}

/// The outputs of two calls: sizes that differ are free.
std::vector<Port> to_ports(const Outputs& first, const Outputs* second, const std::vector<std::string>& names) {
  std::vector<Port> out;
  for (size_t i = 0; i < first.values.size(); ++i) {
    const OutputValue& value = first.values[i];
    Port& port = out.emplace_back();
    port.place = i;
    port.spec.name = i < names.size() && !names[i].empty() ? names[i] : value.key.empty() ? output_name(i) : value.key;
    port.spec.dtype = value.dtype;
    port.spec.shape = value.shape;
    if (second == nullptr) continue;
    for (size_t k = 0; k < value.shape.size(); ++k)
      if (second->values[i].shape[k] != value.shape[k]) port.spec.shape[k] = -1;
  }
  return out;
}

bool begins_open(const std::vector<Port>& ports) {
  return std::all_of(ports.begin(), ports.end(),
                     [](const Port& port) { return !port.spec.shape.empty() && port.spec.shape[0] == -1; });
}

void name_batch(std::vector<Port>& ports) {
  for (Port& port : ports) {
    port.spec.symbols.resize(port.spec.shape.size());
    port.spec.symbols[0] = "batch";
  }
}

}  // namespace

InputValue value_for(const Port& port, mm_dtype dtype, std::span<const int64_t> shape) {
  InputValue out;
  out.dtype = dtype;
  out.key = port.spec.name;
  out.shape = shape;
  return out;
}

std::vector<Port> try_model(BridgeModel& model, size_t arguments, std::vector<Port>& inputs, bool inputs_configured,
                            const RunOptions& options, const std::vector<std::string>& output_names) {
  std::unique_ptr<Outputs> first, second;
  try {
    first = call(model, arguments, inputs, 0, options);
  } catch (const Error& e) {
    throw Error(e.code(), std::string("its outputs could not be learned by a call with zeros, which failed: ") +
                              e.what() + "; list its inputs and outputs in config.pbtxt");
  }
  try {
    second = call(model, arguments, inputs, 1, options);
    if (!same_kind(*first, *second)) second = nullptr;
  } catch (const Error&) {
    // Its sizes are those that it was traced with.
  }
  std::vector<Port> outputs = to_ports(*first, second.get(), output_names);
  if (inputs_configured) return outputs;
  if (second == nullptr) {
    for (Port& port : inputs) port.spec.shape = port.example;
  } else if (begins_open(inputs) && begins_open(outputs)) {
    name_batch(inputs);
    name_batch(outputs);
  }
  return outputs;
}

}  // namespace modelmill::pytorch
