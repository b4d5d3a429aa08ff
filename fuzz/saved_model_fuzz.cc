// The messages of a SavedModel, as the plugin of TensorFlow reads them.
#include "base/check.h"
#include "targets.h"
#include "tensorflow/input_keepers.h"
#include "tensorflow/meta_graph.h"

namespace modelmill::fuzz {
namespace {

void check_signature(const tensorflow::SignatureDef& signature) {
  for (const auto* side : {&signature.inputs, &signature.outputs})
    for (const auto& [name, tensor] : *side) {
      MM_CHECK(!name.empty(), "a tensor has a name");
      MM_CHECK(tensor.shape.size() <= backend::kMaxRank && tensor.symbols.size() == tensor.shape.size(),
               "a shape is within the limits");
      for (const int64_t size : tensor.shape) MM_CHECK(size >= -1, "a size is one, or any");
      MM_CHECK(!tensor.problem.empty() || tensorflow::from_tf(tensor.type) != MM_DTYPE_INVALID,
               "what can be served has a type");
    }
}

}  // namespace

void saved_model(std::string_view bytes) {
  (void)tensorflow::read_tag_sets(bytes);
  const tensorflow::KeeperOps ops(bytes);
  (void)tensorflow::find_keepers(bytes, {"out:0"}, ops);
  try {
    const tensorflow::MetaGraph graph = tensorflow::read_meta_graph(bytes);
    std::vector<std::string> outputs;
    for (const auto& [unused, signature] : graph.signatures) {
      check_signature(signature);
      for (const auto& [name, tensor] : signature.outputs) outputs.push_back(tensor.tensor);
    }
    (void)tensorflow::find_keepers(graph.graph, outputs, ops);
  } catch (const backend::Error& e) {
    MM_CHECK(e.code() == MM_INVALID_ARGUMENT && e.what()[0] != '\0', "an error says why");
  }
}

}  // namespace modelmill::fuzz
