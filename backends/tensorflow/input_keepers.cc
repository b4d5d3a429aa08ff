#include "input_keepers.h"

#include <unordered_set>

#include "tf_api.h"
#include "wire.h"

// Field numbers are those of op_def.proto, graph.proto, node_def.proto, attr_value.proto and function.proto.
namespace modelmill::tensorflow {
namespace {

/// With state, or the handle of one, but they do not keep what they get.
constexpr std::string_view kReaders[] = {
    "Assert",
    "Case",
    "HashTable",
    "HashTableV2",
    "If",
    "LookupTableFind",
    "LookupTableFindV2",
    "LookupTableSize",
    "LookupTableSizeV2",
    "Multinomial",
    "MutableHashTable",
    "MutableHashTableV2",
    "Print",
    "PrintV2",
    "RandomStandardNormal",
    "RandomUniform",
    "RandomUniformInt",
    "ReadVariableOp",
    "ResourceGather",
    "ResourceGatherNd",
    "StatefulPartitionedCall",
    "TruncatedNormal",
    "VarHandleOp",
    "VarIsInitializedOp",
    "VariableShape",
    "While",
};

/// What these hold ends with the run, or is not made of what they get.
constexpr std::string_view kStateless[] = {"Parameterized", "Random", "Stack", "Stateless", "TensorArray"};

bool takes_handle(std::string_view arg_def) {
  WireReader reader(arg_def);
  while (reader.next()) {
    if (reader.field() == 3 && reader.varint() == static_cast<uint64_t>(DataType::kResource)) return true;
    if (reader.field() == 16 && reader.varint() != 0) return true;  // a reference
  }
  return false;
}

struct Node {
  std::string_view op;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> functions;  // that it calls
};

void read_function_name(std::string_view name_attr_list, Node& node) {
  WireReader reader(name_attr_list);
  while (reader.next())
    if (reader.field() == 1) node.functions.push_back(reader.bytes());
}

void read_attribute(std::string_view bytes, Node& node) {
  WireReader value(bytes);
  while (value.next()) {
    if (value.field() == 10) read_function_name(value.bytes(), node);
    if (value.field() != 1) continue;
    WireReader list(value.bytes());
    while (list.next())
      if (list.field() == 9) read_function_name(list.bytes(), node);
  }
}

/// "^net/init" and "net/out:1" name the nodes net/init and net/out.
std::string_view node_of(std::string_view reference) {
  if (reference.starts_with('^')) reference.remove_prefix(1);
  return reference.substr(0, reference.find(':'));
}

/// The graph's nodes and functions, and a walk from its outputs backwards.
class Walk {
 public:
  Walk(std::string_view graph, const KeeperOps& ops) : ops_(ops) {
    WireReader reader(graph);
    while (reader.next()) {
      if (reader.field() == 1) add_node(reader.bytes());
      if (reader.field() == 2) add_library(reader.bytes());
    }
    ok_ = ok_ && reader.ok();
  }

  Keepers find(const std::vector<std::string>& outputs) {
    if (!ok_) return {"a graph that can't be read", "a graph that can't be read"};
    Keepers found;
    for (const std::string& output : outputs) reach(node_of(output));
    while (!ahead_.empty()) {
      const auto [node, of_graph] = ahead_.back();
      ahead_.pop_back();
      const Keeps keeps = kept_by(*node);
      if (keeps != Keeps::kNothing && found.of_inputs.empty()) found.of_inputs = node->op;
      if (keeps == Keeps::kState && found.of_state.empty()) found.of_state = node->op;
      if (of_graph)
        for (const std::string_view input : node->inputs) reach(node_of(input));
    }
    return found;
  }

 private:
  Node read_node(std::string_view bytes, std::string_view& name) {
    Node node;
    WireReader reader(bytes);
    while (reader.next()) {
      if (reader.field() == 1) name = reader.bytes();
      if (reader.field() == 2) node.op = reader.bytes();
      if (reader.field() == 3) node.inputs.push_back(reader.bytes());
      if (reader.field() == 5) read_attribute(read_map_entry(reader.bytes()).value, node);
    }
    ok_ = ok_ && reader.ok();
    return node;
  }
  void add_node(std::string_view bytes) {
    std::string_view name;
    Node node = read_node(bytes, name);
    nodes_[name] = std::move(node);
  }
  void add_library(std::string_view bytes) {
    WireReader library(bytes);
    while (library.next())
      if (library.field() == 1) add_function(library.bytes());
    ok_ = ok_ && library.ok();
  }
  void add_function(std::string_view bytes) {
    std::string_view name;
    std::vector<Node> body;
    WireReader function(bytes);
    while (function.next()) {
      if (function.field() == 1) {
        WireReader signature(function.bytes());
        while (signature.next())
          if (signature.field() == 1) name = signature.bytes();
      }
      std::string_view unused;
      if (function.field() == 3) body.push_back(read_node(function.bytes(), unused));
    }
    ok_ = ok_ && function.ok();
    functions_[name] = std::move(body);
  }

  void reach(std::string_view name) {
    const auto at = nodes_.find(name);
    if (at != nodes_.end() && reached_.insert(name).second) ahead_.emplace_back(&at->second, true);
  }
  /// All of a function runs, or may; what its nodes call their inputs are names inside of it.
  bool reach_function(std::string_view name) {
    const auto at = functions_.find(name);
    if (at == functions_.end()) return false;
    if (called_.insert(name).second)
      for (const Node& node : at->second) ahead_.emplace_back(&node, false);
    return true;
  }
  Keeps kept_by(const Node& node) {
    for (const std::string_view function : node.functions) reach_function(function);
    return reach_function(node.op) ? Keeps::kNothing : ops_.of(node.op);
  }

  const KeeperOps& ops_;
  std::unordered_map<std::string_view, Node> nodes_;
  std::unordered_map<std::string_view, std::vector<Node>> functions_;
  std::unordered_set<std::string_view> reached_, called_;
  std::vector<std::pair<const Node*, bool>> ahead_;  // and whether it is one of the graph itself
  bool ok_ = true;
};

}  // namespace

KeeperOps::KeeperOps(std::string_view op_list) {
  WireReader list(op_list);
  while (list.next()) {
    if (list.field() != 1) continue;
    std::string name;
    bool keeps = false;
    WireReader op(list.bytes());
    while (op.next()) {
      if (op.field() == 1) name = std::string(op.bytes());
      if (op.field() == 2) keeps |= takes_handle(op.bytes());
      if (op.field() == 17) keeps |= op.varint() != 0;  // is_stateful
    }
    keeps_[name] = keeps ? Keeps::kState : Keeps::kNothing;
  }
  for (auto& [name, keeps] : keeps_)
    for (const std::string_view prefix : kStateless)
      if (keeps == Keeps::kState && name.starts_with(prefix)) keeps = Keeps::kInputs;
  for (const std::string_view reader : kReaders) keeps_[std::string(reader)] = Keeps::kNothing;
}

Keeps KeeperOps::of(std::string_view op) const {
  const auto at = keeps_.find(std::string(op));
  return at == keeps_.end() ? Keeps::kState : at->second;
}

Keepers find_keepers(std::string_view graph, const std::vector<std::string>& outputs, const KeeperOps& ops) {
  return Walk(graph, ops).find(outputs);
}

}  // namespace modelmill::tensorflow
