#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "input_keepers.h"
#include "library.h"
#include "meta_graph.h"
#include "options.h"

namespace modelmill::tensorflow {

/// One input or output that is served.
struct Port {
  backend::TensorSpec spec;
  DataType type;
  TF_Output place{};           // in the graph
  Handle<TF_Tensor> fallback;  // an input's value where a request has none
};

/// A SavedModel in a session, closed with its last holder.
class Session {
 public:
  /// Loads it and runs its initialisation. Throws Error. `meta_graph`: a serialized MetaGraphDef.
  Session(const std::string& directory, const Options& options, std::string* meta_graph);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  TF_Session* get() const { return session_; }
  /// Of "net/out:0". Throws Error when the graph has none.
  TF_Output find(const std::string& tensor) const;
  /// Runs operations of the graph by their names, for what they do. Throws Error.
  void run(const std::vector<std::string>& operations) const;

 private:
  Handle<TF_Graph> graph_;
  TF_Session* session_ = nullptr;
};

/// A signature of a SavedModel, and what its graph does with what it gets.
struct GraphEntry {
  SignatureDef signature;
  Keepers keepers;
};

/// What all signatures of a SavedModel share. Immutable once loaded; goes with the last of them.
struct LoadedGraph {
  explicit LoadedGraph(const backend::ModelArgs& args);

  const std::string label;
  const std::string directory;
  const int cores;
  Options options;
  std::unique_ptr<Session> session;
  std::map<std::string, GraphEntry> entries;  // without those of initialisation and training
};

/// One signature of a SavedModel. All instances of all signatures share the session: Run is thread-safe, and the
/// variables are held once.
class SavedModel final : public backend::Model {
 public:
  /// Loads it, with the signature that the configuration names.
  explicit SavedModel(const backend::ModelArgs& args);
  /// Another signature of what is loaded.
  SavedModel(std::shared_ptr<const LoadedGraph> graph, const std::string& signature, mm_host_model* host_model);

  backend::ModelInfo info() override;
  std::unique_ptr<backend::Instance> create_instance(const backend::InstanceArgs& args) override;
  std::unique_ptr<backend::Model> open_signature(const std::string& name, mm_host_model* host_model) override;

  TF_Session* session() const { return graph_->session->get(); }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  /// The graph may keep the memory of its inputs beyond a run, so it must be TensorFlow's own.
  bool keeps_inputs() const { return keeps_inputs_; }

 private:
  using Specs = std::vector<backend::TensorSpec>;
  /// `inputs` and `outputs`: what the configuration says.
  void read(const Specs& inputs, const Specs& outputs, mm_host_model* host_model);
  void read_inputs(const Specs& configured);
  void read_outputs(const Specs& configured, mm_host_model* host_model);
  void note_keepers(mm_host_model* host_model);
  void name_batch_dimension();
  const GraphEntry& entry() const { return graph_->entries.at(name_); }

  std::shared_ptr<const LoadedGraph> graph_;
  std::string name_;
  bool shares_ = false;  // with the signature that was loaded first
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  bool keeps_inputs_ = true;
  bool keeps_state_ = true;
};

/// Makes an instance: the bindings of one execution after another.
std::unique_ptr<backend::Instance> make_instance(const SavedModel& model);

}  // namespace modelmill::tensorflow
