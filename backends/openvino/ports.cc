#include "ports.h"

#include <algorithm>

namespace modelmill::ov {
namespace {

using backend::Error;

constexpr int64_t kUnlikelyRows = 7919;
constexpr const char* kBatchSymbol = "batch";

/// A partial shape that OpenVINO made, and frees.
struct OwnedPartialShape : PartialShape {
  OwnedPartialShape() : PartialShape{} {}
  OwnedPartialShape(const OwnedPartialShape&) = delete;
  OwnedPartialShape& operator=(const OwnedPartialShape&) = delete;
  ~OwnedPartialShape() { api->partial_shape_free(this); }
};

/// The name that the model's author gave it, or where it stands.
std::string name_of(const Port& port, const char* kind, size_t index) {
  char* text = nullptr;
  if (api->port_name(&port, &text) != 0) {
    last_error();  // takes the message, which nobody wants
    return std::string(kind) + "_" + std::to_string(index);
  }
  std::string out = text;
  api->text_free(text);
  return out;
}

ModelPort describe(const Handle<Port>& port, const char* kind, size_t index) {
  ModelPort out;
  out.index = index;
  out.spec.name = name_of(*port, kind, index);
  check(api->port_type(port.get(), &out.type));
  out.spec.dtype = from_ov(out.type);
  const std::string what = std::string(kind) + " '" + out.spec.name + "'";
  if (out.spec.dtype == MM_DTYPE_INVALID)
    throw Error(MM_UNIMPLEMENTED, what + " has an element type (OpenVINO's " + std::to_string(out.type) +
                                      ") that the protocols do not carry");
  OwnedPartialShape shape;
  check(api->port_shape(port.get(), &shape));
  out.rank_known = shape.rank.min == shape.rank.max && shape.rank.min >= 0;
  if (!out.rank_known) return out;
  if (shape.rank.min > static_cast<int64_t>(backend::kMaxRank))
    throw Error(MM_UNIMPLEMENTED, what + " has rank " + std::to_string(shape.rank.min) + "; the limit is 32");
  for (int64_t i = 0; i < shape.rank.min; ++i) {
    const Dimension& size = shape.sizes[i];
    out.sizes.push_back(size);
    out.spec.shape.push_back(size.min == size.max ? size.min : -1);
  }
  return out;
}

bool begins_with_any_size(const ModelPort& port) {
  return port.rank_known && !port.spec.shape.empty() && port.spec.shape[0] < 0;
}

/// The output of so many rows has them first, and nowhere else.
bool has_rows_first(const ModelPort& port) {
  const std::vector<int64_t>& shape = port.spec.shape;
  return port.rank_known && !shape.empty() && shape[0] == kUnlikelyRows &&
         std::count(shape.begin(), shape.end(), kUnlikelyRows) == 1;
}

void name_first(std::vector<ModelPort>& ports) {
  for (ModelPort& port : ports) {
    port.spec.symbols.assign(port.spec.shape.size(), "");
    port.spec.symbols[0] = kBatchSymbol;
  }
}

}  // namespace

Ports Ports::read(const Model& model) {
  Ports out;
  size_t count = 0;
  check(api->model_inputs(&model, &count));
  for (size_t i = 0; i < count; ++i) {
    Port* port = nullptr;
    check(api->model_input(&model, i, &port));
    out.inputs.push_back(describe(Handle<Port>(port), "input", i));
  }
  check(api->model_outputs(&model, &count));
  for (size_t i = 0; i < count; ++i) {
    Port* port = nullptr;
    check(api->model_output(&model, i, &port));
    out.outputs.push_back(describe(Handle<Port>(port), "output", i));
  }
  if (out.outputs.empty()) throw Error(MM_UNIMPLEMENTED, "it has no outputs");
  return out;
}

void reshape(const Model& model, const std::vector<ModelPort>& inputs,
             const std::vector<std::vector<int64_t>>& shapes) {
  std::vector<ModelPort> wanted = inputs;
  for (size_t i = 0; i < wanted.size(); ++i) {
    wanted[i].sizes.clear();
    for (int64_t size : shapes[i]) wanted[i].sizes.push_back(size < 0 ? Dimension{0, -1} : Dimension{size, size});
  }
  reshape(model, wanted);
}

void reshape(const Model& model, const std::vector<ModelPort>& inputs) {
  std::vector<ModelPort> ports = inputs;  // the library asks for sizes that it could write to
  std::vector<PartialShape> shapes;
  std::vector<size_t> indexes;
  for (ModelPort& port : ports) {
    const auto rank = static_cast<int64_t>(port.sizes.size());
    shapes.push_back({{rank, rank}, port.sizes.data()});
    indexes.push_back(port.index);
  }
  check(api->model_reshape(&model, indexes.data(), shapes.data(), indexes.size()), {}, MM_INVALID_ARGUMENT);
}

void find_batch_dimension(const Model& model, Ports& ports) {
  if (ports.inputs.empty() || !std::all_of(ports.inputs.begin(), ports.inputs.end(), begins_with_any_size) ||
      !std::all_of(ports.outputs.begin(), ports.outputs.end(), begins_with_any_size))
    return;
  std::vector<std::vector<int64_t>> asked;
  for (const ModelPort& input : ports.inputs) {
    asked.push_back(input.spec.shape);
    asked.back()[0] = kUnlikelyRows;
  }
  try {
    reshape(model, ports.inputs, asked);
  } catch (const Error&) {
    return;
  }
  const Ports answered = Ports::read(model);
  reshape(model, ports.inputs);
  if (!std::all_of(answered.outputs.begin(), answered.outputs.end(), has_rows_first)) return;
  name_first(ports.inputs);
  name_first(ports.outputs);
}

}  // namespace modelmill::ov
