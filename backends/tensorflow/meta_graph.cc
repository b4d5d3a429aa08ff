#include "meta_graph.h"

#include "wire.h"

// Field numbers are those of saved_model.proto, meta_graph.proto and tensor_shape.proto.
namespace modelmill::tensorflow {
namespace {

using backend::Error;

[[noreturn]] void broken(const std::string& what) {
  throw Error(MM_INVALID_ARGUMENT, "its " + what + " can't be read: the bytes are broken");
}

/// Every field of a message; throws where they end in disorder.
template <typename F>
void for_each_field(std::string_view bytes, const char* what, F&& use) {
  WireReader reader(bytes);
  while (reader.next()) use(reader);
  if (!reader.ok()) broken(what);
}

void read_shape(std::string_view bytes, SignatureTensor& out) {
  for_each_field(bytes, "TensorShapeProto", [&](const WireReader& field) {
    if (field.field() == 3) out.unknown_rank = field.varint() != 0;
    if (field.field() != 2) return;
    int64_t size = 0;
    std::string name;
    for_each_field(field.bytes(), "TensorShapeProto.Dim", [&](const WireReader& dim) {
      if (dim.field() == 1) size = static_cast<int64_t>(dim.varint());
      if (dim.field() == 2) name = std::string(dim.bytes());
    });
    if (out.shape.size() == backend::kMaxRank) {
      out.problem = "has more than 32 dimensions";
      return;
    }
    out.shape.push_back(size < 0 ? -1 : size);
    out.symbols.push_back(std::move(name));
  });
}

SignatureTensor read_tensor(std::string_view bytes) {
  SignatureTensor out;
  for_each_field(bytes, "TensorInfo", [&](const WireReader& field) {
    switch (field.field()) {
      case 1: out.tensor = std::string(field.bytes()); break;
      case 2: out.type = static_cast<DataType>(field.varint()); break;
      case 3: read_shape(field.bytes(), out); break;
      case 4: out.problem = "is a sparse tensor"; break;
      case 5: out.problem = "is a composite tensor"; break;
      default: break;
    }
  });
  if (!out.problem.empty()) return out;
  if (out.tensor.empty()) out.problem = "names no tensor of the graph";
  if (from_tf(out.type) == MM_DTYPE_INVALID)
    out.problem = "has an element type (TensorFlow's number " + std::to_string(static_cast<int32_t>(out.type)) +
                  ") that the protocols do not carry";
  return out;
}

SignatureDef read_signature(std::string_view bytes) {
  SignatureDef out;
  std::map<std::string, std::string> defaults;
  for_each_field(bytes, "SignatureDef", [&](const WireReader& field) {
    if (field.field() == 3) out.method = std::string(field.bytes());
    if (field.field() != 1 && field.field() != 2 && field.field() != 4) return;
    MapEntry entry = read_map_entry(field.bytes());
    if (!entry.ok || entry.key.empty()) broken("SignatureDef");
    if (field.field() == 1) out.inputs[entry.key] = read_tensor(entry.value);
    if (field.field() == 2) out.outputs[entry.key] = read_tensor(entry.value);
    if (field.field() == 4) defaults[entry.key] = std::string(entry.value);
  });
  for (auto& [name, value] : defaults)
    if (const auto input = out.inputs.find(name); input != out.inputs.end())
      input->second.default_value = std::move(value);
  return out;
}

}  // namespace

MetaGraph read_meta_graph(std::string_view bytes) {
  MetaGraph out;
  for_each_field(bytes, "MetaGraphDef", [&](const WireReader& field) {
    if (field.field() == 2) out.graph = field.bytes();
    if (field.field() != 5) return;
    MapEntry entry = read_map_entry(field.bytes());
    if (!entry.ok || entry.key.empty()) broken("MetaGraphDef");
    out.signatures[entry.key] = read_signature(entry.value);
  });
  return out;
}

std::vector<std::string> read_tag_sets(std::string_view saved_model) {
  std::vector<std::string> out;
  try {
    for_each_field(saved_model, "SavedModel", [&](const WireReader& field) {
      if (field.field() != 2) return;
      std::string tags;
      for_each_field(field.bytes(), "MetaGraphDef", [&](const WireReader& graph) {
        if (graph.field() != 1) return;
        for_each_field(graph.bytes(), "MetaInfoDef", [&](const WireReader& info) {
          if (info.field() == 4) tags += (tags.empty() ? "" : ",") + std::string(info.bytes());
        });
      });
      out.push_back(std::move(tags));
    });
  } catch (const Error&) {
    return {};
  }
  return out;
}

}  // namespace modelmill::tensorflow
