#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tf_api.h"

namespace modelmill::tensorflow {

/// One input or output of a signature (TensorInfo).
struct SignatureTensor {
  std::string tensor;   // "serving_default_x:0"; empty for what is not one dense tensor
  std::string problem;  // why it can't be served; empty when it can
  DataType type = DataType::kInvalid;
  bool unknown_rank = false;
  std::vector<int64_t> shape;        // -1: any size
  std::vector<std::string> symbols;  // the sizes' names, or ""
  std::string default_value;         // a serialized TensorProto, of inputs that need not be given
};

/// One entry point of a SavedModel (SignatureDef), its tensors by the names that clients use.
struct SignatureDef {
  std::map<std::string, SignatureTensor> inputs, outputs;
  std::string method;  // "tensorflow/serving/predict"
};

/// What is read of a SavedModel's MetaGraphDef. `graph` is a view of the bytes that it was read from.
struct MetaGraph {
  std::map<std::string, SignatureDef> signatures;
  std::string_view graph;  // GraphDef
};

/// Reads a serialized MetaGraphDef. Throws Error when the bytes are not one.
MetaGraph read_meta_graph(std::string_view bytes);

/// The tags of each graph in a saved_model.pb, "serve" or "serve,gpu"; empty when the bytes are not one.
std::vector<std::string> read_tag_sets(std::string_view saved_model);

}  // namespace modelmill::tensorflow
