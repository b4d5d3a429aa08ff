#pragma once

#include <memory>
#include <string>
#include <vector>

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

 private:
  Handle<TF_Graph> graph_;
  TF_Session* session_ = nullptr;
};

/// A SavedModel with the signature that is served. All instances share its session: Run is thread-safe, and the
/// variables are held once.
class SavedModel final : public backend::Model {
 public:
  SavedModel(const backend::ModelArgs& args);

  backend::ModelInfo info() override;
  std::unique_ptr<backend::Instance> create_instance(const backend::InstanceArgs& args) override;

  TF_Session* session() const { return session_->get(); }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  /// The graph may keep the memory of its inputs beyond a run, so it must be TensorFlow's own.
  bool keeps_inputs() const { return keeps_inputs_; }

 private:
  void read_inputs(const SignatureDef& signature, const backend::ModelConfig& config);
  void read_outputs(const SignatureDef& signature, const backend::ModelArgs& args);
  void look_for_keepers(const MetaGraph& graph, const SignatureDef& signature, const backend::ModelArgs& args);
  void name_batch_dimension();

  const std::string label_;
  const std::string directory_;
  const int cores_;
  Options options_;
  std::unique_ptr<Session> session_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  bool keeps_inputs_ = true;
  bool keeps_state_ = true;
};

/// Makes an instance: the bindings of one execution after another.
std::unique_ptr<backend::Instance> make_instance(const SavedModel& model);

}  // namespace modelmill::tensorflow
