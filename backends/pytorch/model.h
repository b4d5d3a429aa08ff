#pragma once

#include <memory>
#include <string>
#include <vector>

#include "options.h"
#include "signature.h"

namespace modelmill::pytorch {

/// A loaded file of PyTorch's with its signature. All instances share it: it runs on several threads at once, and the
/// weights are held once.
class TorchModel final : public backend::Model {
 public:
  TorchModel(const backend::ModelArgs& args, Bridge& bridge);

  backend::ModelInfo info() override;
  std::unique_ptr<backend::Instance> create_instance(const backend::InstanceArgs& args) override;

  BridgeModel& program() const { return *program_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  /// As many values as a run takes, each at its input's place; those that stay empty are left out.
  size_t value_count() const { return dictionary_ ? inputs_.size() : argument_count_; }
  size_t value_place(size_t input) const { return dictionary_ ? input : inputs_[input].place; }
  const RunOptions& run_options() const { return options_.run; }

 private:
  void load(const backend::ModelArgs& args, Bridge& bridge);
  void learn_signature(const backend::ModelArgs& args, const std::vector<PackageInput>* known);
  void name_outputs(const std::vector<backend::TensorSpec>& configured, std::vector<Port> tried);

  const std::string label_;
  const std::string file_;
  const int cores_;
  Options options_;
  std::unique_ptr<BridgeModel> program_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  size_t argument_count_ = 0;
  bool dictionary_ = false;
  bool package_ = false;
};

/// Makes an instance: the bindings of one execution after another.
std::unique_ptr<backend::Instance> make_instance(const TorchModel& model);

}  // namespace modelmill::pytorch
