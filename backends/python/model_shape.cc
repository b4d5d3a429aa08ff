#include "model_shape.h"

#include "frames.h"

namespace modelmill::python {
namespace {

using backend::Json;
using backend::TensorSpec;

constexpr int64_t kMostMemoryMb = 1 << 24;

std::vector<TensorSpec> read_specs(const Json& json) {
  std::vector<TensorSpec> out;
  for (const Json& item : json.items()) {
    TensorSpec spec;
    spec.name = item["name"].text();
    spec.dtype = backend::parse_dtype(item["dtype"].text());
    spec.optional = item["optional"].boolean(false);
    for (const Json& size : item["shape"].items()) spec.shape.push_back(size.integer());
    if (spec.name.empty() || spec.dtype == MM_DTYPE_INVALID || spec.shape.size() > backend::kMaxRank)
      throw ProtocolError("the type of input or output '" + spec.name + "' is none");
    out.push_back(std::move(spec));
  }
  return out;
}

/// The batch dimension has one name, so that the host knows it for one.
void name_batch(std::vector<TensorSpec>& specs) {
  for (TensorSpec& spec : specs) {
    spec.symbols.assign(spec.shape.size(), "");
    if (!spec.symbols.empty()) spec.symbols[0] = "batch";
  }
}

}  // namespace

ModelShape ModelShape::read(const Json& json) {
  ModelShape out;
  out.inputs = read_specs(json["inputs"]);
  out.outputs = read_specs(json["outputs"]);
  out.gather = json["gather"].boolean(false);
  out.wants_info = json["wants_info"].boolean(false);
  out.decoupled = json["decoupled"].boolean(false);
  out.concurrent = json["concurrent"].boolean(false);
  out.ragged = json["ragged"].boolean(false);
  out.shapes_unsure = json["output_shapes_unsure"].boolean(false);
  out.max_batch_size = json["max_batch_size"].integer(0);
  out.workers = json["workers"].integer(0);
  out.stateful = json["stateful"].boolean(false);
  out.trials = json["trials"].boolean(false);
  const int64_t memory_mb = json["memory_limit_mb"].integer(0);
  if (memory_mb < 0 || memory_mb > kMostMemoryMb)
    throw ProtocolError("memory_mb is " + std::to_string(memory_mb) + "; it must be from 0 to " +
                        std::to_string(kMostMemoryMb));
  out.memory_limit = static_cast<uint64_t>(memory_mb) << 20;
  out.platform = json["platform"].text();
  if (out.max_batch_size > 0 || json["names_batch"].boolean(false)) {
    name_batch(out.inputs);
    name_batch(out.outputs);
  }
  return out;
}

int ModelShape::input_index(std::string_view name, uint32_t hint) const {
  if (hint < inputs.size() && inputs[hint].name == name) return static_cast<int>(hint);
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].name == name) return static_cast<int>(i);
  return -1;
}

}  // namespace modelmill::python
