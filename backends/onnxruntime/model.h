#pragma once

#include <memory>
#include <string>
#include <vector>

#include "library.h"
#include "options.h"

namespace modelmill::ort {

/// One input or output that is served.
struct Port {
  backend::TensorSpec spec;
  ONNXTensorElementDataType type;
  bool zipmap = false;  // an output that comes as maps and is served as a matrix
};

/// A model file in a session, which all instances share: Run is thread-safe, and the weights are held once.
class OrtModel final : public backend::Model {
 public:
  OrtModel(const backend::ModelArgs& args, const Library::Opened& library);

  backend::ModelInfo info() override;
  std::unique_ptr<backend::Instance> create_instance(const backend::InstanceArgs& args) override;

  OrtSession* session() const { return session_.get(); }
  const Options& options() const { return options_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }

 private:
  /// Whether runs do all their work on the thread that asks for them: with a single thread, and no device.
  bool runs_on_callers_thread() const;
  void read_inputs(const backend::ModelConfig& config);
  void read_outputs(const backend::ModelArgs& args);

  const std::string label_;
  const std::string file_;
  const int cores_;
  Options options_;
  Handle<OrtSession> session_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
};

/// The ABI's type for ONNX Runtime's, and back; MM_DTYPE_INVALID and UNDEFINED for those the other lacks.
mm_dtype from_ort(ONNXTensorElementDataType type);
ONNXTensorElementDataType to_ort(mm_dtype dtype);

/// Makes an instance: the bindings of one execution after another.
std::unique_ptr<backend::Instance> make_instance(const OrtModel& model);

}  // namespace modelmill::ort
